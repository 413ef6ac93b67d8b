//! Linting a project of 2,000 metadata files, read and judged.

use criterion::{Criterion, criterion_group, criterion_main};
use grantcheck::diagnostic::Text;
use grantcheck::metadata::{Context, Profile, Project, lint};

const APP: &str =
    include_str!("../suites/apps/rules/callbacks/url-has-no-blank/good/Main.connectedApp-meta.xml");

fn two_thousand(c: &mut Criterion) {
    c.bench_function("lint_2000_files", |bencher| {
        bencher.iter(|| {
            let mut project = Project::default();
            for number in 0..2000 {
                assert!(project.add(&Text::new(format!("App{number}.connectedApp-meta.xml"), APP)));
            }
            let apps = project.apps();
            let context =
                Context { project: &project, apps, now: 1_811_851_200, soon_days: 30, keys: Vec::new() };
            assert_eq!(lint(&context, Profile::General).len(), 2000, "what is measured must be right");
        });
    });
}

criterion_group!(benches, two_thousand);
criterion_main!(benches);
