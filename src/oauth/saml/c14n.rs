//! Exclusive XML Canonicalization 1.0, without comments (<https://www.w3.org/TR/xml-exc-c14n/>): the one
//! spelling of an element over which a signature is computed.
//!
//! The parser forgets which prefix a name was written with, and the canonical form keeps it, so prefixes are
//! read from the source text. Everything is iterative: how deep a stranger nests his elements is not how deep
//! our stack goes.

use std::collections::BTreeSet;

use roxmltree::{Node, NodeId, NodeType};

/// The canonical form of `apex` and what stands in it, without the element `omit` (the enveloped signature
/// transform). `inclusive` is the `PrefixList` of `InclusiveNamespaces`: these prefixes, and `#default`, are
/// treated as in inclusive canonicalization, that is, rendered wherever they come into scope, used or not.
pub(super) fn canonical(apex: Node<'_, '_>, omit: Option<NodeId>, inclusive: &[&str]) -> String {
    let source = apex.document().input_text();
    let mut out = String::with_capacity(apex.range().len());
    // The namespace declarations that the output has in force here, innermost last; "" is the default
    // namespace.
    let mut rendered: Vec<(&str, &str)> = Vec::new();
    let mut steps = vec![Step::Enter(apex)];
    while let Some(step) = steps.pop() {
        let node = match step {
            Step::Enter(node) if Some(node.id()) == omit => continue,
            Step::Enter(node) => node,
            Step::Leave { name, in_force } => {
                out.extend(["</", name, ">"]);
                rendered.truncate(in_force);
                continue;
            }
        };
        match node.node_type() {
            NodeType::Element => {
                let name = written_name(source, node.range().start);
                steps.push(Step::Leave { name, in_force: rendered.len() });
                out.extend(["<", name]);
                declare(node, name, source, inclusive, &mut rendered, &mut out);
                attributes(node, source, &mut out);
                out.push('>');
                steps.extend(node.children().rev().map(Step::Enter));
            }
            NodeType::Text => escape_text(node.text().unwrap_or_default(), &mut out),
            NodeType::PI => {
                if let Some(pi) = node.pi() {
                    out.extend(["<?", pi.target]);
                    if let Some(value) = pi.value {
                        out.extend([" ", value]);
                    }
                    out.push_str("?>");
                }
            }
            NodeType::Comment | NodeType::Root => {}
        }
    }
    out
}

/// Writes `text` as character data in its canonical spelling (Canonical XML 1.0 §2.3, text nodes).
pub(super) fn escape_text(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#xD;"),
            c => out.push(c),
        }
    }
}

/// Writes `value` between quotes in its canonical spelling (Canonical XML 1.0 §2.3, attribute nodes).
pub(super) fn escape_attribute(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#x9;"),
            '\n' => out.push_str("&#xA;"),
            '\r' => out.push_str("&#xD;"),
            c => out.push(c),
        }
    }
}

/// The qualified name of the attribute that starts at `start` of the source, or of the element whose `<` is
/// there.
pub(super) fn written_name(source: &str, start: usize) -> &str {
    let rest = source.get(start..).unwrap_or_default();
    let rest = rest.strip_prefix('<').unwrap_or(rest);
    let end = rest.find([' ', '\t', '\n', '\r', '/', '>', '=']);
    &rest[..end.unwrap_or(rest.len())]
}

enum Step<'a, 'input> {
    Enter(Node<'a, 'input>),
    Leave { name: &'input str, in_force: usize },
}

/// The namespace declarations of one start tag: of the prefixes that it visibly uses and of the inclusive
/// ones, those that the output does not have in force already. Sorted by prefix, the default namespace first.
fn declare<'a, 'input: 'a>(
    node: Node<'a, 'input>,
    name: &'a str,
    source: &'a str,
    inclusive: &[&'a str],
    rendered: &mut Vec<(&'a str, &'a str)>,
    out: &mut String,
) {
    let mut used = BTreeSet::from([prefix(name)]);
    // An attribute without a prefix is in no namespace: it does not use the default one.
    used.extend(
        node.attributes().map(|a| prefix(written_name(source, a.range().start))).filter(|p| !p.is_empty()),
    );
    used.extend(inclusive.iter().map(|p| if *p == "#default" { "" } else { *p }));

    for prefix in used {
        let name = (!prefix.is_empty()).then_some(prefix);
        let in_scope = node.lookup_namespace_uri(name);
        let in_force = rendered.iter().rev().find(|(p, _)| *p == prefix).map(|(_, uri)| *uri);
        let uri = match (prefix, in_scope) {
            // No default namespace and an empty one are the same: xmlns="" is said only to take back another.
            ("", uri) if uri.unwrap_or_default() == in_force.unwrap_or_default() => continue,
            ("", uri) => uri.unwrap_or_default(),
            (_, None) => continue, // xml, bound by definition, or an inclusive prefix that means nothing here
            (_, uri) if uri == in_force => continue,
            (_, Some(uri)) => uri,
        };
        out.push_str(" xmlns");
        if !prefix.is_empty() {
            out.extend([":", prefix]);
        }
        out.push_str("=\"");
        escape_attribute(uri, out);
        out.push('"');
        rendered.push((prefix, uri));
    }
}

/// The attributes of one start tag, sorted by namespace URI (none first) and then by local name.
fn attributes(node: Node<'_, '_>, source: &str, out: &mut String) {
    let mut all: Vec<_> = node.attributes().collect();
    all.sort_by_key(|a| (a.namespace().unwrap_or_default(), a.name()));
    for attribute in all {
        out.extend([" ", written_name(source, attribute.range().start), "=\""]);
        escape_attribute(attribute.value(), out);
        out.push('"');
    }
}

fn prefix(name: &str) -> &str {
    name.split_once(':').map_or("", |(prefix, _)| prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Canonicalizes the element named `apex` (the first one), with `inclusive` prefixes, and compares.
    #[track_caller]
    fn check_part(xml: &str, apex: &str, inclusive: &[&str], expect: &str) {
        let document = roxmltree::Document::parse(xml).unwrap();
        let apex = document.descendants().find(|n| n.tag_name().name() == apex).unwrap();
        let omit = document.descendants().find(|n| n.tag_name().name() == "omitted").map(|n| n.id());
        assert_eq!(canonical(apex, omit, inclusive), expect);
    }

    #[track_caller]
    fn check(xml: &str, expect: &str) {
        check_part(xml, "e", &[], expect);
    }

    #[test]
    fn empty_elements_get_an_end_tag_and_white_space_in_tags_goes() {
        check("<?xml version='1.0'?>\n<e  a = 'x'\n b='y' />\n", r#"<e a="x" b="y"></e>"#);
        check("<e>  <f/ >\n</e >".replace("/ >", "/>").as_str(), "<e>  <f></f>\n</e>");
    }

    #[test]
    fn attributes_are_sorted_by_namespace_and_then_by_local_name() {
        // The prefix does not decide: "z" is bound to the smaller URI. The declarations themselves sort by
        // prefix.
        check(
            r#"<e b="1" a:x="2" z:y="3" z:b="4" a="5" xmlns:z="urn:1" xmlns:a="urn:2" xml:lang="de"/>"#,
            // http://www.w3.org/XML/1998/namespace sorts before urn:
            r#"<e xmlns:a="urn:2" xmlns:z="urn:1" a="5" b="1" xml:lang="de" z:b="4" z:y="3" a:x="2"></e>"#,
        );
    }

    #[test]
    fn a_declaration_moves_to_where_it_is_used() {
        check(
            r#"<e xmlns:p="urn:p" xmlns:unused="urn:u"><p:f><p:g/></p:f><p:h/></e>"#,
            r#"<e><p:f xmlns:p="urn:p"><p:g></p:g></p:f><p:h xmlns:p="urn:p"></p:h></e>"#,
        );
        check(
            r#"<e xmlns="urn:d" xmlns:p="urn:p" p:a="1"><f/><p:g/></e>"#,
            r#"<e xmlns="urn:d" xmlns:p="urn:p" p:a="1"><f></f><p:g></p:g></e>"#,
        );
    }

    #[test]
    fn a_repeated_declaration_is_said_once_and_a_rebound_prefix_again() {
        check(
            r#"<p:e xmlns:p="urn:1"><p:f xmlns:p="urn:1"><p:g xmlns:p="urn:2"><p:h xmlns:p="urn:1"/></p:g></p:f><p:i/></p:e>"#,
            r#"<p:e xmlns:p="urn:1"><p:f><p:g xmlns:p="urn:2"><p:h xmlns:p="urn:1"></p:h></p:g></p:f><p:i></p:i></p:e>"#,
        );
    }

    #[test]
    fn an_empty_default_namespace_is_said_only_to_take_back_another() {
        check(r#"<e xmlns=""><f xmlns=""/></e>"#, "<e><f></f></e>");
        check(
            r#"<e xmlns="urn:d"><f xmlns=""><g/><h xmlns="urn:d"/></f></e>"#,
            r#"<e xmlns="urn:d"><f xmlns=""><g></g><h xmlns="urn:d"></h></f></e>"#,
        );
        // Between them an element with a prefix: it does not use the default namespace, so it does not say it
        // either.
        check(
            r#"<e xmlns="urn:d" xmlns:p="urn:p"><p:f xmlns=""><g/></p:f></e>"#,
            r#"<e xmlns="urn:d"><p:f xmlns:p="urn:p"><g xmlns=""></g></p:f></e>"#,
        );
    }

    #[test]
    fn the_xml_prefix_is_never_declared() {
        check(
            r#"<e xmlns:xml="http://www.w3.org/XML/1998/namespace" xml:space="preserve"> </e>"#,
            r#"<e xml:space="preserve"> </e>"#,
        );
        check_part(r#"<e xml:lang="de"/>"#, "e", &["xml", "xmlns"], r#"<e xml:lang="de"></e>"#);
    }

    #[test]
    fn a_part_takes_along_what_it_uses_from_around_it() {
        check_part(
            r#"<o xmlns="urn:d" xmlns:p="urn:p" xmlns:q="urn:q" xml:lang="de"><p:e q:a="1"><f/></p:e></o>"#,
            "e",
            &[],
            r#"<p:e xmlns:p="urn:p" xmlns:q="urn:q" q:a="1"><f xmlns="urn:d"></f></p:e>"#,
        );
    }

    #[test]
    fn inclusive_prefixes_are_said_where_they_come_into_scope() {
        let xml =
            r#"<o xmlns="urn:d" xmlns:xs="urn:xs" xmlns:p="urn:p"><p:e><p:f xmlns:xs="urn:2"/></p:e></o>"#;
        check_part(
            xml,
            "e",
            &["xs", "nowhere"],
            r#"<p:e xmlns:p="urn:p" xmlns:xs="urn:xs"><p:f xmlns:xs="urn:2"></p:f></p:e>"#,
        );
        check_part(xml, "e", &["#default"], r#"<p:e xmlns="urn:d" xmlns:p="urn:p"><p:f></p:f></p:e>"#);
        // and an inclusive default namespace is taken back even by an element that does not use it
        check_part(
            r#"<e xmlns="urn:d" xmlns:p="urn:p"><p:f xmlns=""/></e>"#,
            "e",
            &["#default"],
            r#"<e xmlns="urn:d"><p:f xmlns="" xmlns:p="urn:p"></p:f></e>"#,
        );
    }

    #[test]
    fn character_data_has_one_spelling() {
        check(
            "<e>a&#38;b&lt;c&gt;d&quot;e&apos;&#x41;&#13;&#9;<![CDATA[<x> & ]]>]]&gt;</e>",
            "<e>a&amp;b&lt;c&gt;d\"e'A&#xD;\t&lt;x&gt; &amp; ]]&gt;</e>",
        );
        check(
            "<e a='\"&#x9;&#xA;&#xD;&lt;&gt;&amp;&apos;' b='x\n\ty' xmlns:p='urn:a&amp;b' p:c=''/>",
            "<e xmlns:p=\"urn:a&amp;b\" a=\"&quot;&#x9;&#xA;&#xD;&lt;>&amp;'\" b=\"x  y\" p:c=\"\"></e>",
        );
    }

    #[test]
    fn comments_go_and_processing_instructions_stay() {
        check("<!--0--><e>a<!--1-->b<?go  now ?><?go?></e><?out?>", "<e>ab<?go now ?><?go?></e>");
    }

    #[test]
    fn the_omitted_element_goes_with_all_that_is_in_it() {
        check("<e>1<omitted><f/>2</omitted>3</e>", "<e>13</e>");
    }

    #[test]
    fn the_example_of_the_recommendation() {
        // Exclusive XML Canonicalization 1.0 §2.2: the same elem2 in two envelopes has one canonical form.
        let expect = "<n1:elem2 xmlns:n1=\"http://example.net\" xml:lang=\"en\">\n    <n3:stuff xmlns:n3=\"ftp://example.org\"></n3:stuff>\n  </n1:elem2>";
        let inner = "<n1:elem2 xmlns:n1=\"http://example.net\"\n            xml:lang=\"en\">\n    <n3:stuff xmlns:n3=\"ftp://example.org\"/>\n  </n1:elem2>";
        let one = format!("<n0:pdu xmlns:n0=\"http://a.example\">\n  {inner}\n</n0:pdu>");
        let two = format!(
            "<n2:pdu xmlns:n1=\"http://example.com\" xmlns:n2=\"http://foo.example\" xml:lang=\"fr\" xml:space=\"retain\">\n  {inner}\n</n2:pdu>"
        );
        check_part(&one, "elem2", &[], expect);
        check_part(&two, "elem2", &[], expect);
    }

    #[test]
    fn nesting_does_not_use_the_stack() {
        let xml = format!("<e>{}{}</e>", "<f>".repeat(100_000), "</f>".repeat(100_000));
        check(&xml, &xml);
    }
}
