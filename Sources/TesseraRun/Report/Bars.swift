internal import Foundation

/// A bar for each of several things, each divided into the same parts: the classes at each site.
public struct StackedBars: Plot {
  /// A bar.
  public struct Bar: Sendable {
    /// What it shows.
    public var name: String
    /// The size of each part.
    public var parts: [Int]

    /// Makes a bar.
    public init(_ name: String, _ parts: [Int]) {
      self.name = name
      self.parts = parts
    }
  }

  /// The bars.
  public var bars: [Bar]
  /// What the parts are called.
  public var partNames: [String]
  /// What is counted.
  public var label: String

  /// Makes a plot.
  public init(_ bars: [Bar], partNames: [String], label: String) {
    self.bars = bars
    self.partNames = partNames
    self.label = label
  }

  /// The palette has ten colours; the next ten parts have them paler.
  private func fill(_ part: Int) -> String {
    "fill=\"var(--c\(part % 10))\" opacity=\"\(part / 10 % 2 == 0 ? "1" : "0.5")\""
  }

  /// The drawing.
  public var svg: String {
    let (width, row, left, right) = (900.0, 26.0, 76.0, 800.0)
    // Names of users' own classes may be long; a letter is some 6.5 wide.
    let longest = Double(partNames.map(\.count).max() ?? 0)
    let columns = Int(min(max((width - left) / (longest * 6.5 + 40), 1), 5))
    let legendHeight = Double((partNames.count + columns - 1) / columns) * 20 + 14
    let height = legendHeight + row * Double(bars.count) + 12
    let largest = Double(max(bars.map { $0.parts.reduce(0, +) }.max() ?? 1, 1))
    var shapes: [String] = []
    for (index, name) in partNames.enumerated() {
      let x = left + Double(index % columns) * (width - left) / Double(columns)
      let y = 14 + Double(index / columns) * 20
      shapes.append(
        """
        <rect x="\(coordinate(x))" y="\(coordinate(y - 9))" width="10" height="10" rx="2" \
        \(fill(index))/>
        """
      )
      shapes.append(text(name, x: x + 16, y: y, isName: true))
    }
    for (index, bar) in bars.enumerated() {
      let y = legendHeight + row * Double(index)
      shapes.append(text(bar.name, x: left - 10, y: y + 14, anchor: "end", isName: true))
      var start = left
      for (part, count) in bar.parts.enumerated() where count > 0 {
        let length = (right - left) * Double(count) / largest
        let name = part < partNames.count ? partNames[part] : "part \(part + 1)"
        shapes.append(
          """
          <rect x="\(coordinate(start))" y="\(coordinate(y))" width="\(coordinate(length))" \
          height="19" \(fill(part))><title>\(escaped(bar.name)), \(escaped(name)): \
          \(count)</title></rect>
          """
        )
        start += length
      }
      shapes.append(text(grouped(bar.parts.reduce(0, +)), x: start + 8, y: y + 14))
    }
    return drawing(width: width, height: height, label: label, shapes)
  }
}

/// A bar for each counted thing: the time of each round.
public struct BarPlot: Plot {
  /// The height of each bar.
  public var values: [Double]
  /// What is counted.
  public var xLabel: String
  /// What is measured.
  public var yLabel: String
  /// What follows a value, such as ` s`.
  public var unit: String

  /// Makes a plot.
  public init(_ values: [Double], xLabel: String, yLabel: String, unit: String = "") {
    self.values = values
    self.xLabel = xLabel
    self.yLabel = yLabel
    self.unit = unit
  }

  /// The drawing.
  public var svg: String {
    let (width, height, left, right, top, bottom) = (900.0, 240.0, 52.0, 880.0, 26.0, 198.0)
    let axis = Axis(covering: values, from: 0, count: 4)
    func y(_ value: Double) -> Double { bottom - (bottom - top) * axis.position(value) }
    var shapes = [text(yLabel, x: 8, y: 14)]
    for tick in axis.ticks {
      shapes.append(gridLine(x1: left, y1: y(tick), x2: right, y2: y(tick)))
      shapes.append(text(axis.label(tick) + unit, x: left - 8, y: y(tick) + 4, anchor: "end"))
    }
    let slot = (right - left) / Double(max(values.count, 1))
    let every = max(1, (values.count + 19) / 20)
    for (index, value) in values.enumerated() where value.isFinite {
      let x = left + slot * Double(index)
      shapes.append(
        """
        <rect x="\(coordinate(x + slot * 0.15))" y="\(coordinate(y(value)))" \
        width="\(coordinate(slot * 0.7))" height="\(coordinate(max(bottom - y(value), 0)))" rx="2" \
        fill="var(--c0)"><title>\(escaped(xLabel)) \(index + 1): \
        \(String(format: "%.2f", value))\(escaped(unit))</title></rect>
        """
      )
      if index % every == 0 {
        shapes.append(text("\(index + 1)", x: x + slot / 2, y: bottom + 18, anchor: "middle"))
      }
    }
    shapes.append(text(xLabel, x: (left + right) / 2, y: bottom + 36, anchor: "middle"))
    return drawing(width: width, height: height, label: "\(yLabel) by \(xLabel)", shapes)
  }
}
