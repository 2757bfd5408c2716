//! `pollux book`: makes the book of `kernel/book` as a site that needs no internet, and checks it.
//!
//! A chapter is Markdown with directives. The kit expands them from the source, the record of the benchmark and the
//! decision records; mdBook renders what comes out. So a chapter can neither show code that has changed nor state a
//! number that nobody measured.
//!
//! Owns: the steps, and mdBook's version.   Not here: directives and links (`chapter`), items of the source (`items`),
//! figures (`numbers`), numbers in prose (`prose`), the finished site (`site`).
//! Why: decision 0133.

mod chapter;
mod items;
mod numbers;
mod prose;
mod site;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context, Result, bail};

use self::{chapter::Reader, items::Items, numbers::Record};
use crate::{bench, cli::BookOptions, doc, project, venv};

/// mdBook, which is built from crates.io at first use.
const MDBOOK: &str = "0.5.4";

/// The file of the record, which `--record` writes.
const RECORD: &str = "kernel/book/numbers.json";

/// What was measured elsewhere, on other kernels.
const ELSEWHERE: &str = "kernel/book/elsewhere.json";

/// The rows whose plots the book and the README show, and their directory.
const PLOTTED: [&str; 3] = ["select_tcp_none_ready", "poll_blocks_on_pipes", "epoll_one_ready"];
const PLOTS: &str = "osdk/plots";

/// `pollux book`.
pub(crate) fn command(options: &BookOptions) -> Result<ExitCode> {
    let root = project::root();
    if options.record {
        numbers::record(&project::target().join("bench/results.json"), &root.join(RECORD))?;
        write_plots(&root)?;
        return Ok(ExitCode::SUCCESS);
    }
    let work = project::target().join("book");
    let mut complaints = expand(&root, &work)?;
    let site = work.join("html");
    // The check of every change does not wait for the minutes that mdBook takes to build.
    let is_rendered = !options.check || program().exists();
    if !is_rendered {
        eprintln!("pollux: the book was not rendered: mdBook is not built yet; `make book` does both");
    }
    if complaints.is_empty() && is_rendered {
        render(&work, &site)?;
        complaints.extend(site::broken(&site)?);
    }
    if options.check {
        complaints.extend(misspelled(&root.join("kernel/book"))?);
    }
    complaints.iter().for_each(|complaint| eprintln!("{complaint}"));
    if !complaints.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    if !options.check {
        let start = site.join("index.html");
        println!("{}", start.display());
        doc::open_on_display(&start);
    }
    Ok(ExitCode::SUCCESS)
}

/// Expands the chapters into `work`, and returns what is wrong with them.
fn expand(root: &Path, work: &Path) -> Result<Vec<String>> {
    let book = root.join("kernel/book");
    let read =
        |path: &str| fs::read_to_string(root.join(path)).with_context(|| format!("cannot read {path}"));
    let items = Items::new(root);
    let record = Record::parse(&read(RECORD)?).context(RECORD)?;
    let elsewhere = Record::parse(&read(ELSEWHERE)?).context(ELSEWHERE)?;
    let reader = Reader { root, items: &items, record: &record, elsewhere: &elsewhere };
    let _ = fs::remove_dir_all(work.join("src"));
    fs::create_dir_all(work.join("src")).with_context(|| format!("cannot make {}", work.display()))?;
    let mut complaints = Vec::new();
    let mut sources = BTreeSet::new();
    for name in chapters(&book.join("src"))? {
        let path = format!("kernel/book/src/{name}");
        let chapter = reader.chapter(&path, &read(&path)?);
        complaints.extend(chapter.complaints);
        sources.extend(chapter.sources);
        fs::write(work.join("src").join(&name), chapter.text)?;
    }
    for path in &sources {
        site::write_page(&work.join("src"), root, path)?;
    }
    for name in ["book.toml", "steps.js", "book.css"] {
        fs::copy(book.join(name), work.join(name)).with_context(|| format!("cannot copy {name}"))?;
    }
    complaints.extend(numbers::wrong_rows("README.md", &read("README.md")?, &record));
    Ok(complaints)
}

/// Draws the plots from the record.
fn write_plots(root: &Path) -> Result<()> {
    let record = serde_json::from_str(&fs::read_to_string(root.join(RECORD))?)?;
    for (name, plot) in bench::plots(&record)?.iter().filter(|(name, _)| PLOTTED.contains(&name.as_str())) {
        let path = root.join(PLOTS).join(format!("{name}.svg"));
        fs::write(&path, plot).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Lists the chapters, by the names of their files.
fn chapters(directory: &Path) -> Result<BTreeSet<String>> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let names: std::io::Result<BTreeSet<String>> = names.collect();
    Ok(names?.into_iter().filter(|name| name.ends_with(".md")).collect())
}

/// Renders the expanded chapters.
fn render(work: &Path, site: &Path) -> Result<()> {
    let mut mdbook = Command::new(mdbook()?);
    mdbook.arg("build").arg(work).arg("--dest-dir").arg(site);
    let output = mdbook.stdin(Stdio::null()).output().context("cannot run mdBook")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let is_clean = !said.lines().any(|line| line.contains("ERROR") || line.contains("WARN"));
    if !output.status.success() || !is_clean {
        bail!("mdBook failed: {}", said.trim());
    }
    Ok(())
}

fn place() -> PathBuf {
    project::products().join(format!("mdbook-{MDBOOK}"))
}

fn program() -> PathBuf {
    place().join("bin/mdbook")
}

/// Returns mdBook's program. Builds it at first use, which takes minutes: without optimization, because it renders this
/// book in a second, and without its server.
fn mdbook() -> Result<PathBuf> {
    let program = program();
    if program.exists() {
        return Ok(program);
    }
    let place = place();
    eprintln!("pollux: building mdBook {MDBOOK}, once …");
    let mut cargo = Command::new("cargo");
    // Outside of the project, whose settings of cargo are for the kernel.
    cargo.current_dir("/").env("CARGO_TARGET_DIR", place.join("build")).env("CARGO_PROFILE_DEV_DEBUG", "0");
    cargo.args(["install", "mdbook", "--version", MDBOOK, "--locked", "--debug", "--quiet"]);
    cargo.args(["--no-default-features", "--features=search", "--root"]).arg(&place);
    if !cargo.stdin(Stdio::null()).status().context("cannot run cargo")?.success() {
        bail!("cannot build mdBook {MDBOOK}");
    }
    let _ = fs::remove_dir_all(place.join("build"));
    Ok(program)
}

/// Lists the misspelled words in the book and the README.
fn misspelled(book: &Path) -> Result<Vec<String>> {
    let requirements = book.join("requirements.txt");
    let python =
        venv::environment("the spelling checker", &requirements, &project::products().join("spelling"))?;
    let mut typos = Command::new(python.with_file_name("typos"));
    typos.args(["--format=brief", "--config"]).arg(book.join("typos.toml"));
    typos.arg(book.join("src")).arg(project::root().join("README.md"));
    let output = typos.stdin(Stdio::null()).output().context("cannot run the spelling checker")?;
    match output.status.code() {
        Some(0) => Ok(Vec::new()),
        Some(2) => Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()),
        _ => bail!("the spelling checker failed: {}", String::from_utf8_lossy(&output.stderr).trim()),
    }
}
