//! The template of a route: `/api/orders/{id}`.

use std::cmp::Ordering;

/// Literal segments and named ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    /// As it was declared; the label of metrics.
    pub text: &'static str,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(&'static str),
    Param(&'static str),
}

/// What the named segments of a path are.
pub(super) type Params = Vec<(&'static str, String)>;

impl Template {
    /// `None` when it does not begin with `/`, has an empty segment, an odd brace or a name twice.
    pub(super) fn parse(text: &'static str) -> Option<Self> {
        let segments: Option<Vec<Segment>> = text.strip_prefix('/')?.split('/').map(Segment::parse).collect();
        let template = Template { text, segments: segments? };
        let mut names: Vec<&str> = template.names().collect();
        names.sort_unstable();
        names.windows(2).all(|pair| pair[0] != pair[1]).then_some(template)
    }

    /// Of the named segments, in their order.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Param(name) => Some(*name),
            Segment::Literal(_) => None,
        })
    }

    /// The named segments if a path (decoded, without its first `/`) fits.
    pub(super) fn matches(&self, path: &[String]) -> Option<Params> {
        if path.len() != self.segments.len() {
            return None;
        }
        let mut params = Params::new();
        for (segment, part) in self.segments.iter().zip(path) {
            match segment {
                Segment::Literal(literal) if literal == part => {}
                Segment::Param(name) if !part.is_empty() => params.push((name, part.clone())),
                _ => return None,
            }
        }
        Some(params)
    }

    /// A template with a literal where the other has a name comes first: `/orders/stream` before `/orders/{id}`.
    pub(super) fn by_precedence(&self, other: &Template) -> Ordering {
        let is_param = |segment: &Segment| matches!(segment, Segment::Param(_));
        self.segments.iter().map(is_param).cmp(other.segments.iter().map(is_param))
    }

    /// Whether the same paths fit.
    pub(super) fn same_paths(&self, other: &Template) -> bool {
        self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(|pair| match pair {
                (Segment::Param(_), Segment::Param(_)) => true,
                (a, b) => a == b,
            })
    }
}

impl Segment {
    fn parse(text: &'static str) -> Option<Self> {
        let is_odd = |text: &str| text.is_empty() || text.contains(['{', '}']);
        match text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) => (!is_odd(name)).then_some(Segment::Param(name)),
            None => (!is_odd(text)).then_some(Segment::Literal(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Vec<String> {
        text.split('/').map(String::from).collect()
    }

    #[test]
    fn names_take_one_segment_each() {
        let template = Template::parse("/orders/{id}/payments/{payment}").unwrap();
        let params = template.matches(&path("orders/7/payments/p-1")).unwrap();
        assert_eq!(params, [("id", "7".to_string()), ("payment", "p-1".to_string())]);
        for other in ["orders/7/payments", "orders//payments/1", "orders/7/payments/1/", "orders/7/refunds/1"] {
            assert_eq!(template.matches(&path(other)), None, "{other}");
        }
    }

    #[test]
    fn odd_templates_are_refused() {
        for odd in ["", "orders", "/", "/a//b", "/a/", "/{}", "/{a", "/a}", "/{a}b", "/{a}/{a}"] {
            assert_eq!(Template::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_literal_goes_before_a_name() {
        let [stream, id, deep] = ["/orders/stream", "/orders/{id}", "/orders/{id}/x"].map(|text| Template::parse(text).unwrap());
        assert_eq!(stream.by_precedence(&id), Ordering::Less);
        assert!(!stream.same_paths(&id) && !deep.same_paths(&id));
        assert!(id.same_paths(&Template::parse("/orders/{order}").unwrap()));
    }
}
