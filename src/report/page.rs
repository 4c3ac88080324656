//! The page: title, sections and blocks as one string of HTML.

use super::palette::declarations;
use super::{Figure, ImageGrid, ReportError, SmallMultiples, Table, escape};

/// A whole report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Title of the page.
    pub title: String,
    /// One line under the title: system, sizes, date, revision.
    pub subtitle: String,
    /// Sections, in order.
    pub sections: Vec<Section>,
}

/// A heading and the blocks below it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    /// Heading, also shown in the table of contents.
    pub heading: String,
    /// Blocks, in order. Consecutive figures share a row if the page is wide enough.
    pub blocks: Vec<Block>,
}

/// One headline value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Highlight {
    /// Its name.
    pub label: String,
    /// The value, as text.
    pub value: String,
    /// Its meaning.
    pub note: String,
}

/// One piece of a section.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// Paragraphs, separated by empty lines.
    Text(String),
    /// Other pages, by their paths relative to this one.
    Links(Vec<String>),
    /// A warning, for instance about diverged trajectories.
    Warning(String),
    /// The headline values.
    Highlights(Vec<Highlight>),
    /// A table.
    Table(Table),
    /// A plot.
    Figure(Figure),
    /// Plots of one kind.
    Multiples(SmallMultiples),
    /// Lattice configurations.
    Images(ImageGrid),
    /// Folded verbatim text, such as the input: (title, text).
    Verbatim(String, String),
}

impl Section {
    /// An empty section.
    pub fn new(heading: impl Into<String>) -> Self {
        Self { heading: heading.into(), blocks: Vec::new() }
    }

    /// The same section with one more block.
    pub fn with(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }
}

impl Report {
    /// The page as the text of an HTML file.
    ///
    /// # Errors
    /// When a figure cannot be drawn.
    pub fn html(&self) -> Result<String, ReportError> {
        let (title, subtitle) = (escape(&self.title), escape(&self.subtitle));
        let mut sections = String::new();
        for (index, section) in self.sections.iter().enumerate() {
            let heading = escape(&section.heading);
            let content = blocks_html(&section.blocks)?;
            sections += &format!("<section id=\"section-{index}\">\n<h2>{heading}</h2>\n{content}</section>\n");
        }
        let (style, contents) = (style(), self.contents_html());
        Ok(format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{style}</style>\n</head>\n\
             <body>\n<header>\n<h1>{title}</h1>\n<p>{subtitle}</p>\n{contents}</header>\n<main>\n{sections}</main>\n\
             </body>\n</html>\n"
        ))
    }

    fn contents_html(&self) -> String {
        if self.sections.len() < 3 {
            return String::new();
        }
        let links = self.sections.iter().enumerate();
        let links: String = links
            .map(|(index, section)| format!("<a href=\"#section-{index}\">{}</a>\n", escape(&section.heading)))
            .collect();
        format!("<nav aria-label=\"Contents\">\n{links}</nav>\n")
    }
}

fn blocks_html(blocks: &[Block]) -> Result<String, ReportError> {
    let mut html = String::new();
    for group in blocks.chunk_by(|left, right| is_figure(left) && is_figure(right)) {
        let content = group.iter().map(block_html).collect::<Result<String, _>>()?;
        html += &if group.len() > 1 { format!("<div class=\"figures\">\n{content}</div>\n") } else { content };
    }
    Ok(html)
}

fn is_figure(block: &Block) -> bool {
    matches!(block, Block::Figure(_))
}

fn block_html(block: &Block) -> Result<String, ReportError> {
    Ok(match block {
        Block::Text(text) => paragraphs(text),
        Block::Links(links) => {
            let item = |link: &String| format!("<li><a href=\"./{0}\">{0}</a></li>\n", escape(link));
            format!("<ul>\n{}</ul>\n", links.iter().map(item).collect::<String>())
        }
        Block::Warning(text) => format!("<aside class=\"warning\" role=\"note\">{}</aside>\n", paragraphs(text)),
        Block::Highlights(highlights) => highlights_html(highlights),
        Block::Table(table) => table.html(),
        Block::Figure(figure) => figure.html()?,
        Block::Multiples(multiples) => multiples.html()?,
        Block::Images(images) => images.html(),
        Block::Verbatim(title, text) => {
            format!("<details><summary>{}</summary><pre>{}</pre></details>\n", escape(title), escape(text))
        }
    })
}

fn paragraphs(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty());
    paragraphs.map(|paragraph| format!("<p>{}</p>\n", escape(paragraph))).collect()
}

fn highlights_html(highlights: &[Highlight]) -> String {
    let item = |highlight: &Highlight| {
        let (label, value, note) = (escape(&highlight.label), escape(&highlight.value), escape(&highlight.note));
        format!("<div><dt>{label}</dt><dd><b>{value}</b><span>{note}</span></dd></div>\n")
    };
    format!("<dl class=\"highlights\">\n{}</dl>\n", highlights.iter().map(item).collect::<String>())
}

/// The style sheet with the colours of the light and the dark theme. Printing uses the light theme.
fn style() -> String {
    let light = declarations(false);
    let dark = declarations(true);
    format!(
        ":root{{{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n@media print{{:root{{{light}}}}}\n{}",
        include_str!("page.css")
    )
}
