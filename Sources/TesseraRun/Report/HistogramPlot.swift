internal import Foundation

/// Several distributions over the same bins, one upon the other: as shares, so that large and small ones can be compared.
public struct HistogramPlot: Plot {
  /// A distribution.
  public struct Series: Sendable {
    /// Whose it is.
    public var name: String
    /// How much lies in each bin.
    public var counts: [Double]
    /// Its place in the palette.
    public var color: Int
    /// Whether its area is filled: the one that the others are compared with.
    public var isFilled: Bool

    /// Makes a distribution.
    public init(_ name: String, _ counts: [Double], color: Int, isFilled: Bool = false) {
      self.name = name
      self.counts = counts
      self.color = color
      self.isFilled = isFilled
    }

    /// The share of all that lies in each bin.
    var shares: [Double] {
      let total = counts.filter { $0.isFinite && $0 > 0 }.reduce(0, +)
      return counts.map { $0.isFinite && $0 > 0 && total > 0 ? $0 / total : 0 }
    }
  }

  /// The distributions.
  public var series: [Series]
  /// Where the first bin begins.
  public var low: Double
  /// Where the last bin ends.
  public var high: Double
  /// What is counted.
  public var xLabel: String

  /// Makes a plot.
  public init(_ series: [Series], from low: Double, to high: Double, xLabel: String) {
    self.series = series
    self.low = low
    self.high = high
    self.xLabel = xLabel
  }

  /// The drawing.
  public var svg: String {
    let (width, height) = (900.0, 300.0)
    let (left, right, top, bottom) = (52.0, 700.0, 26.0, 258.0)
    let shares = series.map(\.shares)
    let axis = Axis(covering: shares.flatMap { $0.map { $0 * 100 } }, from: 0, count: 4)
    let isRange = low.isFinite && high.isFinite && low < high && (high - low).isFinite
    let (low, high) = isRange ? (low, high) : (0, 1)
    func y(_ share: Double) -> Double { bottom - (bottom - top) * axis.position(share * 100) }
    func x(_ value: Double) -> Double { left + (right - left) * (value - low) / (high - low) }
    var shapes = [text("share of the values", x: 8, y: 14)]
    for tick in axis.ticks {
      shapes.append(gridLine(x1: left, y1: y(tick / 100), x2: right, y2: y(tick / 100)))
      shapes.append(text(axis.label(tick) + " %", x: left - 8, y: y(tick / 100) + 4, anchor: "end"))
    }
    let values = Axis(covering: [low, high], count: 8)
    for tick in values.ticks where tick >= low && tick <= high {
      shapes.append(text(values.label(tick), x: x(tick), y: bottom + 18, anchor: "middle"))
    }
    shapes.append(text(xLabel, x: (left + right) / 2, y: bottom + 36, anchor: "middle"))
    // What is filled lies beneath the lines.
    let order = series.indices.sorted { series[$0].isFilled && !series[$1].isFilled }
    for index in order where !shares[index].isEmpty {
      let one = series[index]
      let step = (right - left) / Double(shares[index].count)
      var points = ["\(coordinate(left)),\(coordinate(bottom))"]
      for (bin, share) in shares[index].enumerated() {
        let start = left + step * Double(bin)
        points.append("\(coordinate(start)),\(coordinate(y(share)))")
        points.append("\(coordinate(start + step)),\(coordinate(y(share)))")
      }
      points.append("\(coordinate(right)),\(coordinate(bottom))")
      let color = "var(--c\(one.color % 10))"
      let style =
        one.isFilled
        ? "fill=\"\(color)\" fill-opacity=\"0.25\" stroke=\"none\""
        : "fill=\"none\" stroke=\"\(color)\" stroke-width=\"1.8\""
      shapes.append(
        """
        <polyline points="\(points.joined(separator: " "))" \(style) stroke-linejoin="round">\
        <title>\(escaped(one.name))</title></polyline>
        """
      )
    }
    for (index, one) in series.prefix(13).enumerated() {
      let place = top + 8 + 18 * Double(index)
      let opacity = one.isFilled ? "0.4" : "1"
      shapes.append(
        """
        <rect x="\(coordinate(right + 12))" y="\(coordinate(place - 9))" width="10" height="10" rx="2" \
        fill="var(--c\(one.color % 10))" opacity="\(opacity)"/>
        """
      )
      let isLast = index == 12 && series.count > 13
      let name = isLast ? "and \(series.count - 12) more" : one.name
      shapes.append(text(name, x: right + 28, y: place, isName: true))
    }
    return drawing(width: width, height: height, label: "distribution of \(xLabel)", shapes)
  }
}
