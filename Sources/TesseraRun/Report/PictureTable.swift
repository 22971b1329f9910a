internal import Foundation

/// Pictures and texts that were found, in rows and columns: what one model finds beside what another does.
public struct PictureTable: Sendable {
  /// A picture.
  public struct Tile: Sendable {
    /// A PNG file.
    public var png: [UInt8]
    /// What it shows, for those who cannot see it, and below it.
    public var label: String
    /// Whether it is what was looked for; `nil` if nothing was.
    public var isRight: Bool?

    /// Makes a tile.
    public init(png: [UInt8], label: String, isRight: Bool? = nil) {
      self.png = png
      self.label = label
      self.isRight = isRight
    }
  }

  /// What a place of the table holds.
  public enum Cell: Sendable {
    /// A text.
    case text(String)
    /// Pictures, the best first.
    case tiles([Tile])
    /// Texts, the best first, and whether each is what was looked for.
    case list([(text: String, isRight: Bool)])
  }

  /// What the columns are called.
  public var header: [String]
  /// The rows.
  public var rows: [[Cell]]

  /// Makes a table.
  public init(header: [String], rows: [[Cell]]) {
    self.header = header
    self.rows = rows
  }

  var html: String {
    let head = header.map { "<th scope=\"col\">\(escaped($0))</th>" }.joined()
    let body = rows.map { row in
      "<tr>" + row.map { "<td>\(Self.html($0))</td>" }.joined() + "</tr>"
    }
    return
      "<div class=\"scroll\"><table class=\"pictures\">\n<thead><tr>\(head)</tr></thead>\n<tbody>\n"
      + body.joined(separator: "\n") + "\n</tbody>\n</table></div>"
  }

  private static func html(_ cell: Cell) -> String {
    switch cell {
    case .text(let text): escaped(text)
    case .tiles(let tiles):
      "<div class=\"tiles\">" + tiles.map(html).joined() + "</div>"
    case .list(let texts):
      "<ol>"
        + texts.map { "<li\($0.isRight ? " class=\"right\"" : "")>\(escaped($0.text))</li>" }
        .joined()
        + "</ol>"
    }
  }

  private static func html(_ tile: Tile) -> String {
    let label = escaped(tile.label)
    let source = "data:image/png;base64,\(Data(tile.png).base64EncodedString())"
    // The colour alone does not say it to everyone.
    let mark = tile.isRight == true ? "✓ " : ""
    return """
      <figure class="tile\(tile.isRight == true ? " right" : "")">\
      <img alt="\(label)" title="\(label)" src="\(source)"/>\(mark)\(label)</figure>
      """
  }
}
