//! The routes with their handlers, and as a list that is compared with the API's description.

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};

use crate::api;
use crate::state::State;

/// A router that knows its routes.
pub(crate) struct Routes {
    pub(crate) router: Router<State>,
    /// Methods, in lower case as in OpenAPI, and paths.
    pub(crate) list: Vec<(&'static str, &'static str)>,
}

macro_rules! methods {
    ($($name:ident = $filter:ident),+) => {$(
        pub(crate) fn $name<H, T>(self, path: &'static str, handler: H) -> Self
        where
            H: Handler<T, State>,
            T: 'static,
        {
            self.add(stringify!($name), MethodFilter::$filter, path, handler)
        }
    )+};
}

impl Routes {
    fn add<H, T>(
        mut self,
        method: &'static str,
        filter: MethodFilter,
        path: &'static str,
        handler: H,
    ) -> Self
    where
        H: Handler<T, State>,
        T: 'static,
    {
        self.list.push((method, path));
        self.router = self.router.route(path, on(filter, handler));
        self
    }

    methods!(get = GET, post = POST, patch = PATCH, delete = DELETE);

    /// All of them.
    pub(crate) fn all() -> Self {
        let none = Self {
            router: Router::new(),
            list: Vec::new(),
        };
        let parts = [
            api::session::routes,
            api::settings::routes,
            api::videos::routes,
            api::tasks::routes,
            api::masklets::routes,
            api::frames::routes,
            api::annotate::routes,
            api::history::routes,
            api::users::routes,
            api::reports::routes,
            api::auto::routes,
            api::exports::routes,
            api::live::routes,
        ];
        parts.into_iter().fold(none, |routes, add| add(routes))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn routes_and_description_agree() {
        let described: serde_json::Value = serde_json::from_str(api::session::OPENAPI).unwrap();
        let paths = described["paths"].as_object().unwrap();
        let described: BTreeSet<(String, String)> = paths
            .iter()
            .flat_map(|(path, methods)| {
                let methods = methods.as_object().unwrap().keys();
                methods.map(|method| (method.clone(), path.clone()))
            })
            .collect();
        let served: BTreeSet<(String, String)> = Routes::all()
            .list
            .into_iter()
            .map(|(method, path)| (method.to_owned(), path.to_owned()))
            .collect();
        let missing: Vec<_> = served.difference(&described).collect();
        assert!(missing.is_empty(), "served and not described: {missing:?}");
        let missing: Vec<_> = described.difference(&served).collect();
        assert!(missing.is_empty(), "described and not served: {missing:?}");
    }
}
