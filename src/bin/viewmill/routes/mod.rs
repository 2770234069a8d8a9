//! What the order system answers over HTTP.

mod orders;

use viewmill::Views;
use viewmill::http::Routes;

use crate::topology::OrderViews;

/// All routes.
pub fn routes(handles: &OrderViews, views: Views) -> Routes {
    orders::routes(handles.orders, views)
}
