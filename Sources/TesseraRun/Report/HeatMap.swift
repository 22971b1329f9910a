internal import Foundation

/// A matrix whose cells are the darker the larger their number, with the numbers in them: models on the data of sites.
///
/// Colours are mixed from the page's own and go no further than half way, so that the numbers stand out in light and dark.
public struct HeatMap: Plot {
  /// What the rows are called.
  public var rows: [String]
  /// What the columns are called.
  public var columns: [String]
  /// The numbers, `[rows][columns]`; `nil` where there is none.
  public var values: [[Double?]]
  /// What is shown, for those who cannot see it.
  public var label: String
  /// How many decimals numbers have.
  public var decimals: Int
  /// What follows a number, such as ` %`.
  public var unit: String
  /// Rows and columns with these names are set apart: means, the global model.
  public var summaries: Set<String>

  /// Makes a plot.
  public init(
    rows: [String],
    columns: [String],
    values: [[Double?]],
    label: String,
    decimals: Int = 2,
    unit: String = "",
    summaries: Set<String> = []
  ) {
    self.rows = rows
    self.columns = columns
    self.values = values
    self.label = label
    self.decimals = decimals
    self.unit = unit
    self.summaries = summaries
  }

  /// The drawing.
  public var svg: String {
    let known = values.flatMap { $0.compactMap { $0 } }.filter(\.isFinite)
    let (low, high) = (known.min() ?? 0, known.max() ?? 0)
    // Some 6.5 for a letter.
    let left = min(max(Double(rows.map(\.count).max() ?? 0) * 6.5 + 18, 76), 260)
    let longest = known.map { self.text(of: $0).count }.max() ?? 1
    let width = max(900.0, left + Double(columns.count) * (Double(longest) * 7 + 14))
    let cell = (width: min((width - left - 10) / Double(max(columns.count, 1)), 120), height: 30.0)
    // Names of columns that do not fit beside one another are written upwards.
    let longestColumn = Double(columns.map(\.count).max() ?? 0) * 6.5
    let isUpright = longestColumn > cell.width - 6
    let top = isUpright ? min(longestColumn, 200) + 16 : 26
    var shapes: [String] = []
    for (index, name) in columns.enumerated() {
      let x = left + cell.width * (Double(index) + 0.5)
      if isUpright {
        shapes.append(
          """
          <text class="name" x="\(coordinate(x + 4))" y="\(coordinate(top - 8))" \
          transform="rotate(-90 \(coordinate(x + 4)) \(coordinate(top - 8)))">\(escaped(name))</text>
          """
        )
      } else {
        shapes.append(TesseraRun.text(name, x: x, y: top - 10, anchor: "middle", isName: true))
      }
    }
    for (row, name) in rows.enumerated() {
      let y = top + cell.height * Double(row) + (summaries.contains(name) && row > 0 ? 6 : 0)
      shapes.append(TesseraRun.text(name, x: left - 10, y: y + 20, anchor: "end", isName: true))
      for (column, site) in columns.enumerated() {
        let inset = summaries.contains(site) && column > 0 ? 6.0 : 0
        let x = left + cell.width * Double(column) + inset
        let value =
          values.indices.contains(row) && values[row].indices.contains(column)
          ? values[row][column] : nil
        let title = "\(name), \(site): \(value.map { text(of: $0) } ?? "–")"
        let share = value.map { high > low ? ($0 - low) / (high - low) : 0.5 }
        let fill = share.map {
          "color-mix(in srgb, var(--c0) \(Int(($0.isFinite ? $0 : 0) * 50) + 4)%, var(--card))"
        }
        shapes.append(
          """
          <rect x="\(coordinate(x + 1))" y="\(coordinate(y + 1))" \
          width="\(coordinate(cell.width - inset - 2))" height="\(coordinate(cell.height - 2))" rx="3" \
          style="fill: \(fill ?? "none"); stroke: var(--line)"><title>\(escaped(title))</title></rect>
          """
        )
        let middle = x + (cell.width - inset) / 2
        shapes.append(
          TesseraRun.text(
            value.map { text(of: $0) } ?? "–",
            x: middle,
            y: y + 20,
            anchor: "middle",
            isName: value != nil
          )
        )
      }
    }
    let height = top + cell.height * Double(rows.count) + 18
    return drawing(width: width, height: height, label: label, shapes)
  }

  private func text(of value: Double) -> String {
    value.isFinite ? String(format: "%.\(max(0, decimals))f", value) + unit : "–"
  }
}
