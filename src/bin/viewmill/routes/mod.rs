//! What the order system answers over HTTP.

mod command_answer;
mod command_body;
mod command_request;
mod command_state;
mod commands;
mod dashboard;
mod order;
mod order_history;
mod order_list;
mod parameters;
mod reply;
mod spec;

use viewmill::Views;
use viewmill::command::Commands;
use viewmill::http::{ActorRule, Routes};

use crate::topology::OrderViews;

/// All routes.
pub fn routes(handles: &OrderViews, views: Views, commands: Commands, actors: ActorRule) -> Routes {
    order::routes(handles.orders, views.clone(), actors.clone())
        .and(order_history::routes(handles.orders, views.clone(), actors.clone()))
        .and(order_list::routes(*handles, views.clone()))
        .and(dashboard::routes(handles.stats, views.clone()))
        .and(command_state::routes(handles.commands, views.clone(), actors.clone()))
        .and(commands::routes(commands, views, actors))
        .about(spec::about())
        .schemas(spec::schemas(handles.settings))
}
