internal import Foundation
public import SystemPackage
internal import TesseraCore

/// A page about a run: one HTML file with everything in it, for light and dark, screen and paper.
public struct ReportPage: Sendable {
  /// A number that stands out.
  public struct Figure: Sendable {
    /// What it is.
    public var label: String
    /// Its value, as text.
    public var value: String

    /// Makes a figure.
    public init(_ label: String, _ value: String) {
      self.label = label
      self.value = value
    }
  }

  /// A part of a section.
  public enum Content: Sendable {
    /// A paragraph.
    case prose(String)
    /// A table; all columns but the first hold numbers.
    case table(header: [String], rows: [[String]])
    /// A drawing.
    case plot(any Plot)
    /// Pictures beside one another.
    case pictures(PictureTable)
    /// A command to type.
    case command(String)
  }

  /// A part of the page.
  public struct Section: Sendable {
    /// Its heading.
    public var title: String
    /// What is in it.
    public var contents: [Content]

    /// Makes a section.
    public init(_ title: String, _ contents: [Content]) {
      self.title = title
      self.contents = contents
    }
  }

  /// The page's heading.
  public var title: String
  /// When, with what.
  public var subtitle: String
  /// The numbers that stand out.
  public var figures: [Figure]
  /// The parts.
  public var sections: [Section]

  /// Makes a page.
  public init(title: String, subtitle: String, figures: [Figure], sections: [Section]) {
    self.title = title
    self.subtitle = subtitle
    self.figures = figures
    self.sections = sections
  }

  /// Writes the page, all of it or nothing.
  public func write(to path: FilePath) throws {
    try AtomicFile.write(html, to: path)
  }

  /// The page as HTML.
  public var html: String {
    let figures = figures.map {
      "<div class=\"figure\"><div class=\"value\">\(escaped($0.value))</div>"
        + "<div class=\"label\">\(escaped($0.label))</div></div>"
    }.joined(separator: "\n")
    let sections = sections.map { section in
      "<section>\n<h2>\(escaped(section.title))</h2>\n"
        + section.contents.map(Self.html).joined(separator: "\n") + "\n</section>"
    }.joined(separator: "\n")
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8"/>
      <meta name="viewport" content="width=device-width, initial-scale=1"/>
      <title>\(escaped(title))</title>
      <style>\(Self.style)</style>
      </head>
      <body>
      <header>
      <p class="brand" aria-hidden="true"><i></i><i></i><i></i><i></i></p>
      <h1>\(escaped(title))</h1>
      <p class="subtitle">\(escaped(subtitle))</p>
      </header>
      <div class="figures">
      \(figures)
      </div>
      \(sections)
      </body>
      </html>

      """
  }

  private static func html(_ content: Content) -> String {
    switch content {
    case .prose(let text): return "<p>\(escaped(text))</p>"
    case .command(let text): return "<pre><code>\(escaped(text))</code></pre>"
    case .pictures(let table): return table.html
    case .plot(let plot): return "<figure>\n\(plot.svg)\n</figure>"
    case .table(let header, let rows):
      func row(_ cells: [String], _ tag: String) -> String {
        "<tr>" + cells.map { "<\(tag)>\(escaped($0))</\(tag)>" }.joined() + "</tr>"
      }
      let head = row(header, "th").replacing("<th>", with: "<th scope=\"col\">")
      return "<div class=\"scroll\"><table>\n<thead>\(head)</thead>\n<tbody>\n"
        + rows.map { row($0, "td") }.joined(separator: "\n") + "\n</tbody>\n</table></div>"
    }
  }

  // Colours after Okabe and Ito (2008), which stay apart for colour-blind readers; ten, for ten classes.
  private static let style = """

    :root { color-scheme: light dark; --page: #fbfaf7; --ink: #1d2327; --soft: #626b72; \
    --line: #dcdad2; --card: #ffffff; --strong: #0b6fae;
    --c0: #0072b2; --c1: #e69f00; --c2: #009e73; --c3: #cc79a7; --c4: #56b4e9; --c5: #d55e00; \
    --c6: #b8a800; --c7: #7a5195; --c8: #8d6e63; --c9: #90a4ae; }
    @media (prefers-color-scheme: dark) { :root { --page: #14181b; --ink: #e8e6e1; --soft: #9aa4ab; \
    --line: #30373c; --card: #1c2226; --strong: #5cb8f0;
    --c0: #3d9bd9; --c1: #f0b432; --c2: #2bc49a; --c3: #df9dc0; --c4: #8fd0f5; --c5: #f08a45; \
    --c6: #d9cd3f; --c7: #ab86c4; --c8: #b39a90; --c9: #b5c3ca; } }
    * { box-sizing: border-box; }
    body { margin: 0 auto; max-width: 960px; padding: 2.5rem 1.25rem 4rem; background: var(--page); \
    color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
    h1 { font-size: 1.9rem; line-height: 1.2; margin: .4rem 0 .2rem; letter-spacing: -.01em; }
    h2 { font-size: 1.15rem; margin: 2.6rem 0 .6rem; }
    p { margin: .4rem 0 .8rem; max-width: 46rem; }
    .subtitle { color: var(--soft); }
    .brand { display: grid; grid-template-columns: 11px 11px; gap: 2px; margin: 0; }
    .brand i { height: 11px; background: var(--c0); } .brand i:nth-child(2) { background: var(--c4); }
    .brand i:nth-child(3) { background: var(--c1); } .brand i:nth-child(4) { background: var(--c2); }
    .figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: .75rem; \
    margin-top: 1.6rem; }
    .figure { background: var(--card); border: 1px solid var(--line); border-radius: 10px; \
    padding: .9rem 1rem; }
    .value { font-size: 1.65rem; font-weight: 650; font-variant-numeric: tabular-nums; \
    letter-spacing: -.02em; }
    .label { color: var(--soft); font-size: .86rem; }
    table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
    th, td { text-align: right; padding: .38rem .7rem; border-bottom: 1px solid var(--line); \
    white-space: nowrap; }
    th:first-child, td:first-child { text-align: left; padding-left: 0; }
    th { color: var(--soft); font-weight: 500; font-size: .86rem; }
    .scroll { overflow-x: auto; }
    .pictures td, .pictures th { text-align: left; vertical-align: top; white-space: normal; }
    .pictures .tiles { display: flex; gap: 6px; }
    .pictures .tile { margin: 0; width: 52px; min-width: 52px; padding: 0; font-size: .7rem; \
    line-height: 1.2; border: 0; background: none; color: var(--soft); overflow: hidden; \
    overflow-wrap: anywhere; }
    .pictures img { width: 52px; height: 52px; display: block; border-radius: 6px; \
    border: 3px solid var(--line); background: #fff; image-rendering: auto; }
    .pictures .right img { border-color: var(--c2); }
    .pictures ol { margin: 0; padding-left: 1.2rem; } .pictures .right { color: var(--c2); }
    figure { margin: .6rem 0 0; background: var(--card); border: 1px solid var(--line); \
    border-radius: 10px; padding: .8rem; overflow-x: auto; }
    svg { display: block; width: 100%; min-width: 520px; height: auto; font: 12px system-ui, sans-serif; }
    svg text { fill: var(--soft); font-variant-numeric: tabular-nums; }
    svg .name { fill: var(--ink); } svg .grid { stroke: var(--line); stroke-width: 1; }
    pre { background: var(--card); border: 1px solid var(--line); border-radius: 8px; \
    padding: .6rem .9rem; overflow-x: auto; font-size: .9rem; }
    @media print { body { background: #fff; } section { break-inside: avoid; } }

    """
}

/// Text for HTML and SVG.
func escaped(_ text: String) -> String {
  text.reduce(into: "") { result, character in
    switch character {
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "\"": result += "&quot;"
    default: result.append(character)
    }
  }
}
