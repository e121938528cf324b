//! The integration tests: one module for each face of the program.

#![expect(clippy::unwrap_used, reason = "a test that can't set up its world has failed")]

mod book;
mod build;
mod damage;
mod demo;
mod faults;
mod forms;
mod init;
mod kill;
mod layering;
mod layouts;
mod ledgers;
mod lint;
mod money;
mod money_layouts;
mod nested;
mod page;
mod paper;
mod profile;
mod proxy;
mod quiet;
mod readme;
mod rehearsal;
mod replies;
mod report;
mod resume;
mod rules;
mod rules_tried;
mod samples;
mod sandbox;
mod scale;
mod schema;
mod shell;
mod submit;
mod support;
mod tamper;
mod target;
mod tenant;
mod tenant_rules;
mod trace;
mod waves;
