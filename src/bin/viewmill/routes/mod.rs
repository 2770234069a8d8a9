//! What the order system answers over HTTP.

mod dashboard;
mod order;
mod order_list;
mod parameters;
mod reply;

use viewmill::Views;
use viewmill::http::Routes;

use crate::topology::OrderViews;

/// All routes.
pub fn routes(handles: &OrderViews, views: Views) -> Routes {
    order::routes(handles.orders, views.clone())
        .and(order_list::routes(*handles, views.clone()))
        .and(dashboard::routes(handles.stats, views))
}
