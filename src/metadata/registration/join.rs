//! Apps of metadata beside what no metadata has: secrets, private keys, users.

use super::{About, Note, Registration};
use crate::oauth::Secret;
use crate::subject::{ClientAuth, ConnectedApp, DECIDED, Flow, Setting, Target, User};

/// What becomes of the certificate of an app whose private key is not at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// It stays: a client that has the key signs with it.
    Kept,
    /// A published pair stands in for it, so that flows that sign can be played.
    StandIn,
}

/// A target with apps of metadata in it.
#[derive(Clone, Debug)]
pub struct Joined {
    /// The embedded org with the apps, the first of them as `main`.
    pub target: Target,
    /// Role, developer name, and what there is to be told, for each app.
    pub apps: Vec<(String, String, Vec<Note>)>,
}

/// Puts apps into a target: into the one that somebody wrote for them, or into the shipped one, of which the users and the
/// stranger `other` stay.
pub fn join(registrations: Vec<Registration>, given: Option<Target>, shipped: &Target, keys: Keys) -> Joined {
    let written = given.is_some();
    let mut target = given.unwrap_or_else(|| {
        let mut target = shipped.clone();
        target.apps.retain(|role, _| role == "other");
        target
    });
    let mut apps = Vec::new();
    let mut roles: Vec<String> = Vec::new();
    for (number, registration) in registrations.into_iter().enumerate() {
        let role = role(&registration, number, &target, &roles, written);
        roles.push(role.clone());
        let name = registration.name.clone();
        let notes =
            Joiner { target: &mut target, shipped, role: &role, number, written, keys }.app(registration);
        apps.push((role, name, notes));
    }
    say_what_is_known(&mut target, &roles);
    Joined { target, apps }
}

/// Which role an app has: that of the target's app with its consumer key, else `main` for the first, else its own name.
fn role(
    registration: &Registration,
    number: usize,
    target: &Target,
    taken: &[String],
    written: bool,
) -> String {
    let key = registration.app.client_id.as_str();
    let same = target.apps.iter().find(|(_, app)| !key.is_empty() && app.client_id == key);
    if let Some((role, _)) = same.filter(|_| written) {
        return role.clone();
    }
    let own = registration.role();
    if written && target.apps.contains_key(&own) && !taken.contains(&own) {
        return own;
    }
    if number == 0 {
        return "main".to_owned();
    }
    free(&registration.name, taken)
}

/// A developer name as roles are written.
pub(in crate::metadata) fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '-' }).collect()
}

/// A role after a developer name that no other app has.
pub(in crate::metadata) fn free(name: &str, taken: &[String]) -> String {
    let own = plain(name);
    let mut role = own.clone();
    let mut count = 2;
    while role.is_empty() || role == "other" || taken.contains(&role) {
        role = format!("{own}-{count}");
        count += 1;
    }
    role
}

struct Joiner<'j> {
    target: &'j mut Target,
    shipped: &'j Target,
    role: &'j str,
    number: usize,
    written: bool,
    keys: Keys,
}

impl Joiner<'_> {
    fn app(self, registration: Registration) -> Vec<Note> {
        let Registration { mut app, run_as, given, mut notes, .. } = registration;
        let mut supplied = |what: &str, message: String| {
            notes.push(Note { about: About::Supplied, place: None, what: what.to_owned(), message });
        };
        let beside = self.target.apps.get(self.role).filter(|_| self.written).cloned();
        let model = self.shipped.apps.get("main").cloned().unwrap_or_default();
        if app.client_id.is_empty() {
            let (key, from) = match &beside {
                Some(beside) => (beside.client_id.clone(), "of the target file"),
                None if self.number == 0 => (model.client_id.clone(), "made up"),
                None => (format!("3MVG9grantcheck.{}", self.role), "made up"),
            };
            supplied("consumer key", format!("{from}: {key}"));
            app.client_id = key;
        } else if beside.as_ref().is_some_and(|beside| beside.client_id != app.client_id) {
            supplied("consumer key", "that of the metadata; the target file has another".to_owned());
        }
        if let Some(beside) = &beside {
            take_from(beside, &mut app, &mut supplied);
        }
        if app.client_secret.is_none() && matches!(app.client_auth, ClientAuth::Post | ClientAuth::Basic) {
            let (secret, from) = if self.number == 0 {
                (
                    model.client_secret.clone().unwrap_or_default(),
                    "made up: that of `main` in targets/embedded.yaml, which `grantcheck suites --export DIR` writes",
                )
            } else {
                let digits = format!("{:04}", self.number).repeat(16);
                (Secret::new(digits), "made up; a target file gives the app its own")
            };
            supplied("consumer secret", from.to_owned());
            app.client_secret = Some(secret);
        }
        if app.certificate.is_some() && app.key.is_none() {
            match self.keys {
                Keys::StandIn => {
                    app.key.clone_from(&model.key);
                    app.certificate.clone_from(&model.certificate);
                    supplied("private key", "not at hand: a published pair stands in for the certificate; `key:` of a target file gives the app its own".to_owned());
                }
                Keys::Kept => supplied(
                    "private key",
                    "not at hand, and not needed: assertions are checked with the certificate of the metadata".to_owned(),
                ),
            }
        }
        if let Some(username) = run_as {
            let role = run_as_role(self.target, self.shipped, &username);
            supplied("run-as user", format!("{username}, in the role `{role}`"));
            app.policy.run_as = Some(role);
        }
        let for_somebody = !app.policy.admin_approved || given;
        for (user, one) in &mut self.target.users {
            one.approved.retain(|role| role != self.role || for_somebody);
            // Who has the shipped `main` has every app that comes in its place.
            let model = self.shipped.users.get(user);
            let plain = model.is_some_and(|model| model.approved.iter().any(|role| role == "main"));
            if !self.written && plain && for_somebody && !one.approved.iter().any(|role| role == self.role) {
                one.approved.push(self.role.to_owned());
            }
        }
        let allowed: Vec<&str> = self
            .target
            .users
            .iter()
            .filter(|(_, user)| user.approved.iter().any(|role| role == self.role) && is_plain(user))
            .map(|(role, _)| role.as_str())
            .collect();
        let from = if self.written { "of the target file" } else { "made up, with published passwords" };
        let allowed = match (allowed.as_slice(), app.policy.admin_approved) {
            ([], true) => "the app is given to nobody".to_owned(),
            (roles, true) => format!("the app is given to {}", roles.join(", ")),
            ([], false) => "none of them approved it before".to_owned(),
            (roles, false) => format!("{} approved it before", roles.join(", ")),
        };
        supplied("users", format!("{from}; {allowed}"));
        if app.flows.contains(&Flow::ClientCredentials) && app.policy.run_as.is_none() {
            supplied("run-as user", "the metadata names none, so client credentials are refused".to_owned());
        }
        self.target.apps.insert(self.role.to_owned(), app);
        notes
    }
}

/// The role of the user with that name, who is there afterwards.
fn run_as_role(target: &mut Target, shipped: &Target, username: &str) -> String {
    let same = |user: &User| user.username.eq_ignore_ascii_case(username);
    if let Some((role, _)) = target.users.iter().find(|(_, user)| same(user)) {
        return role.clone();
    }
    let model = shipped.users.get("integration").cloned().unwrap_or_default();
    let shipped_name = model.username.clone();
    let user = User { username: username.to_owned(), approved: Vec::new(), ..model };
    let free = |role: &&&str| target.users.get(**role).is_none_or(|user| user.username == shipped_name);
    let role = ["integration", "run-as"]
        .iter()
        .find(free)
        .map_or_else(|| format!("run-as-{}", target.users.len()), |role| (*role).to_owned());
    target.users.insert(role.clone(), user);
    role
}

/// What a target file knows of an app and metadata does not.
fn take_from(beside: &ConnectedApp, app: &mut ConnectedApp, supplied: &mut impl FnMut(&str, String)) {
    app.extra.clone_from(&beside.extra);
    // Whether it must show who it is, the metadata says; how it does, the file.
    if app.client_auth == ClientAuth::None || beside.client_auth != ClientAuth::None {
        app.client_auth = beside.client_auth;
    }
    if app.client_secret.is_none() && beside.client_secret.is_some() {
        app.client_secret.clone_from(&beside.client_secret);
        supplied("consumer secret", "of the target file".to_owned());
    }
    if let Some(key) = &beside.key {
        app.key = Some(key.clone());
        let fits = app.certificate.as_ref().map(|certificate| *certificate.key() == key.public());
        supplied(
            "private key",
            match fits {
                Some(true) => "of the target file; the certificate of the metadata is of it".to_owned(),
                Some(false) => "of the target file, and the certificate of the metadata is of another key: what it signs is refused".to_owned(),
                None => "of the target file; the metadata has no certificate, so what it signs is refused".to_owned(),
            },
        );
    }
    // The one that is used stands first.
    if let Some(used) = beside.redirect_uris.first()
        && let Some(place) = app.redirect_uris.iter().position(|uri| uri == used)
    {
        app.redirect_uris[..=place].rotate_right(1);
    }
    let differ = [
        ("callbacks", !beside.redirect_uris.iter().all(|uri| app.redirect_uris.contains(uri))),
        (
            "scopes",
            !beside.scopes.is_empty() && beside.scopes.iter().any(|scope| !app.scopes.contains(scope)),
        ),
        ("flows", beside.flows.iter().any(|flow| !app.flows.contains(flow))),
    ];
    for (what, _) in differ.into_iter().filter(|(_, differ)| *differ) {
        supplied(
            what,
            "the target file names some that the metadata does not have; the metadata decides".to_owned(),
        );
    }
}

/// What all of the apps agree on is known of the server, for judges that depend on it.
fn say_what_is_known(target: &mut Target, roles: &[String]) {
    for name in DECIDED {
        target.settings.0.remove(name);
        let mut said = roles.iter().filter_map(|role| target.apps.get(role)).map(|app| app.policy.says(name));
        let first = said.next().flatten();
        let agreed: Option<Setting> = first.filter(|first| said.all(|other| other.as_ref() == Some(first)));
        target.settings.0.extend(agreed.map(|setting| (name.to_owned(), setting)));
    }
}

/// Whether nothing keeps a user from logging in.
fn is_plain(user: &User) -> bool {
    !(user.inactive || user.frozen || user.ip_restricted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Text;
    use crate::metadata::{Project, registration};
    use crate::oauth::keys::{Certificate, PrivateKey};

    fn app(name: &str, oauth: &str, rest: &str) -> Registration {
        let source = format!(
            "<ConnectedApp><oauthConfig><callbackUrl>https://a.example/1\nhttps://a.example/2</callbackUrl>\
             <scopes>Api</scopes>{oauth}</oauthConfig>{rest}</ConnectedApp>"
        );
        let mut project = Project::default();
        assert!(project.add(&Text::new(format!("{name}.connectedApp"), source)));
        registration(&project.apps()[0]).unwrap()
    }

    fn shipped() -> Target {
        let mut target = Target::default();
        for (role, id) in [("main", "M"), ("other", "O"), ("public", "P")] {
            let secret = Some(Secret::new(format!("secret-{id}")));
            let app = ConnectedApp { client_id: id.into(), client_secret: secret, ..ConnectedApp::default() };
            target.apps.insert(role.into(), app);
        }
        for role in ["main", "second", "unapproved", "integration"] {
            let user = User {
                username: format!("{role}@shipped"),
                approved: vec!["main".into()],
                ..User::default()
            };
            target.users.insert(role.into(), user);
        }
        target
    }

    #[test]
    fn what_metadata_does_not_have_comes_from_the_shipped_target_and_is_told() {
        let admin = "<isAdminApproved>true</isAdminApproved>";
        let joined = join(vec![app("A", admin, ""), app("B b", "", "")], None, &shipped(), Keys::Kept);
        let target = &joined.target;
        assert_eq!(target.apps.keys().collect::<Vec<_>>(), ["B-b", "main", "other"]);
        assert_eq!(target.apps["main"].client_secret.as_ref().unwrap().expose(), "secret-M");
        // Nobody has the first, whoever had the shipped one; the second is approved by those who approve things.
        assert!(target.users.values().all(|user| !user.approved.contains(&"main".to_owned())));
        assert_eq!(target.users["second"].approved, ["B-b"]);
        let told = |at: usize| {
            joined.apps[at]
                .2
                .iter()
                .map(|n| format!("{}: {}", n.what, n.message))
                .collect::<Vec<_>>()
                .join("\n")
        };
        assert!(
            told(0).contains("users: made up, with published passwords; the app is given to nobody"),
            "{}",
            told(0)
        );
        assert!(told(1).contains("consumer key: made up: 3MVG9grantcheck.B-b"), "{}", told(1));
        assert!(!(told(0) + &told(1)).contains("secret-M"));
    }

    #[test]
    fn what_apps_agree_on_is_known_of_the_server() {
        let rotates = "<isRefreshTokenRotationEnabled>true</isRefreshTokenRotationEnabled>";
        let joined = join(vec![app("A", rotates, ""), app("B", "", "")], None, &shipped(), Keys::Kept);
        assert_eq!(joined.target.settings.flag("rotation"), None);
        assert_eq!(joined.target.settings.flag("pkce_required"), Some(false));
    }

    #[test]
    fn a_target_file_brings_secret_key_and_users_and_metadata_decides_the_rest() {
        let key = PrivateKey::from_pem(include_str!("../../../tests/keys/app-main.key")).unwrap();
        let other = Certificate::read(include_str!("../../../tests/keys/app-other.crt")).unwrap();
        let mut file = shipped();
        let own = file.apps.get_mut("public").unwrap();
        own.client_id = "3MVG9own".into();
        own.redirect_uris = vec!["https://a.example/2".into()];
        own.scopes = vec!["web".into()];
        own.key = Some(key);
        let oauth = format!(
            "<consumerKey>3MVG9own</consumerKey><certificate>{}</certificate><isClientCredentialEnabled>true</isClientCredentialEnabled>\
             <oauthClientCredentialUser>MAIN@shipped</oauthClientCredentialUser>",
            other.base64()
        );
        let joined = join(vec![app("A", &oauth, "")], Some(file), &shipped(), Keys::StandIn);
        let (role, _, notes) = &joined.apps[0];
        let app = &joined.target.apps[role];
        assert_eq!((role.as_str(), app.policy.run_as.as_deref()), ("public", Some("main")));
        assert_eq!(app.client_secret.as_ref().unwrap().expose(), "secret-P");
        assert_eq!(app.redirect_uris, ["https://a.example/2", "https://a.example/1"]);
        assert_eq!(
            (app.scopes.as_slice(), &app.certificate),
            ([String::from("api")].as_slice(), &Some(other))
        );
        let told: Vec<&str> = notes.iter().map(|note| note.message.as_str()).collect();
        assert!(
            told.iter().any(|line| line.contains("is of another key: what it signs is refused")),
            "{told:?}"
        );
        assert!(told.iter().any(|line| line.contains("the metadata decides")), "{told:?}");
        assert_eq!(joined.target.apps.len(), 3);
    }
}
