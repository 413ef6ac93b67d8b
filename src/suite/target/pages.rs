//! How the login and approval pages of an org are passed.

use super::super::parse::{Kind, Node};
use super::{LOGIN_NAMES, Reader};
use crate::oauth::Secret;
use crate::subject::{Brought, Grant, Login, Page};

impl Reader<'_> {
    pub(super) fn login(&mut self, node: Option<&Node>) -> Login {
        match node {
            Some(Node { kind: Kind::List(_), .. }) => {
                Login::Pages(node.map(|n| self.pages(n)).unwrap_or_default())
            }
            Some(node) if node.text() == Some("browser") => Login::Browser,
            Some(node) if matches!(node.kind, Kind::Map(_)) => self.grant(node),
            _ => Login::None,
        }
    }

    /// What stands in for a login.
    fn grant(&mut self, node: &Node) -> Login {
        let role = |key: &str| node.get(key).and_then(Node::text).unwrap_or("main").to_owned();
        let (refresh, access) = (node.get("refresh_token"), node.get("access_token"));
        match (refresh, access, node.key("access_token")) {
            (None, None, _) => {
                let help = "add `refresh_token: ${SF_REFRESH_TOKEN}`, or `access_token: ${SF_ACCESS_TOKEN}`";
                self.problem("missing-key", node.span, "nothing stands here in place of a login", help);
            }
            (Some(_), Some(_), Some(key)) => {
                let help = "leave one out: a refresh token brings access tokens by itself";
                let message = "either a refresh token or an access token stands in for a login";
                self.problem("contradiction", key.span, message, help);
            }
            _ => {}
        }
        let token = match access.filter(|_| refresh.is_none()) {
            Some(at) => Brought::AccessToken(self.value(Some(at)).map(Secret::new).unwrap_or_default()),
            None => Brought::RefreshToken(self.value(refresh).map(Secret::new).unwrap_or_default()),
        };
        Login::Given(Grant { app: role("app"), user: role("user"), token })
    }

    pub(super) fn pages(&mut self, node: &Node) -> Vec<Page> {
        if !matches!(node.kind, Kind::List(_)) {
            return Vec::new();
        }
        node.items().iter().map(|page| self.page(page)).collect()
    }

    fn page(&mut self, page: &Node) -> Page {
        for key in ["form", "link"] {
            let selector =
                page.get(key).filter(|at| at.text().is_some_and(|t| scraper::Selector::parse(t).is_err()));
            if let Some(at) = selector {
                let message = format!("`{}` is no CSS selector", at.text().unwrap_or(""));
                self.problem("bad-selector", at.span, message, "for example `form#login` or `a.allow`");
            }
        }
        if page.get("link").is_some() {
            for key in ["fill", "form", "json"] {
                if let Some(at) = page.key(key) {
                    let message = format!("`{key}` is of no use where a link is followed");
                    self.problem("misplaced", at.span, message, "leave out either `link` or the form");
                }
            }
        }
        let fill = page.get("fill").map(Node::entries).unwrap_or_default();
        Page {
            fill: fill
                .iter()
                .filter_map(|(name, value)| {
                    Some((name.text()?.to_owned(), self.filled(Some(value), LOGIN_NAMES)?))
                })
                .collect(),
            form: page.get("form").and_then(Node::text).map(str::to_owned),
            link: page.get("link").and_then(Node::text).map(str::to_owned),
            json: page.get("json").and_then(Node::text).map(str::to_owned),
        }
    }
}
