/// Curves over a counted thing, such as accuracy over rounds.
public struct LinePlot: Plot {
  /// A curve.
  public struct Curve: Sendable {
    /// What it shows.
    public var name: String
    /// Its value at 1, 2, 3, ….
    public var values: [Double]
    /// Its place in the palette.
    public var color: Int
    /// Whether it is one of many in the background, without a name beside it.
    public var isFaint: Bool

    /// Makes a curve.
    public init(_ name: String, _ values: [Double], color: Int, isFaint: Bool = false) {
      self.name = name
      self.values = values
      self.color = color
      self.isFaint = isFaint
    }
  }

  /// The curves, the most important last.
  public var curves: [Curve]
  /// What is counted.
  public var xLabel: String
  /// What is measured.
  public var yLabel: String
  /// What follows a value, such as ` %`.
  public var unit: String

  /// Makes a plot.
  public init(_ curves: [Curve], xLabel: String, yLabel: String, unit: String = "") {
    self.curves = curves
    self.xLabel = xLabel
    self.yLabel = yLabel
    self.unit = unit
  }

  /// The drawing.
  public var svg: String {
    let (width, height) = (900.0, 400.0)
    let (left, right, top, bottom) = (52.0, 700.0, 26.0, 358.0)
    let vertical = Axis(covering: curves.flatMap(\.values))
    let steps = max(curves.map(\.values.count).max() ?? 0, 2)
    func x(_ index: Int) -> Double { left + (right - left) * Double(index) / Double(steps - 1) }
    func y(_ value: Double) -> Double { bottom - (bottom - top) * vertical.position(value) }

    var shapes = [text(yLabel, x: 8, y: 14)]
    for tick in vertical.ticks {
      shapes.append(gridLine(x1: left, y1: y(tick), x2: right, y2: y(tick)))
      shapes.append(text(vertical.label(tick) + unit, x: left - 8, y: y(tick) + 4, anchor: "end"))
    }
    let every = max(1, (steps + 11) / 12)
    for index in 0..<steps
    where index % every == 0 || (index == steps - 1 && index % every > every / 2) {
      shapes.append(text("\(index + 1)", x: x(index), y: bottom + 18, anchor: "middle"))
    }
    shapes.append(text(xLabel, x: (left + right) / 2, y: bottom + 36, anchor: "middle"))

    for curve in curves {
      let points = curve.values.enumerated().filter { $0.element.isFinite }
      let path = points.map { "\(coordinate(x($0.offset))),\(coordinate(y($0.element)))" }
      let opacity = curve.isFaint ? "0.35" : "1"
      let weight = curve.isFaint ? "1.2" : "2.4"
      let title = "<title>\(escaped(curve.name))</title>"
      shapes.append(
        """
        <polyline points="\(path.joined(separator: " "))" fill="none" \
        stroke="var(--c\(curve.color % 10))" stroke-width="\(weight)" stroke-linejoin="round" \
        opacity="\(opacity)">\(title)</polyline>
        """
      )
      guard !curve.isFaint else { continue }
      for point in points {
        shapes.append(
          """
          <circle cx="\(coordinate(x(point.offset)))" cy="\(coordinate(y(point.element)))" r="3" \
          fill="var(--c\(curve.color % 10))"><title>\(escaped(curve.name)), \(escaped(xLabel)) \
          \(point.offset + 1): \(vertical.label(point.element))\(escaped(unit))</title></circle>
          """
        )
      }
    }
    return drawing(
      width: width,
      height: height,
      label: "\(yLabel) by \(xLabel)",
      shapes + names(right: right, top: top, bottom: bottom, y: y)
    )
  }

  /// The curves' names beside their last values, moved apart where they would overlap.
  private func names(
    right: Double,
    top: Double,
    bottom: Double,
    y: (Double) -> Double
  ) -> [String] {
    let named = curves.filter { !$0.isFaint }
      .compactMap { curve in
        curve.values.last { $0.isFinite }.map { (curve: curve, value: $0, y: y($0)) }
      }
      .sorted { $0.y < $1.y }
    var shapes: [String] = []
    var lowest = top - 18
    for (index, item) in named.enumerated() {
      // Room for the names below keeps the last ones inside.
      let limit = bottom - 18 * Double(named.count - 1 - index)
      let place = max(min(item.y + 4, limit), lowest + 18)
      lowest = place
      shapes.append(
        """
        <rect x="\(coordinate(right + 12))" y="\(coordinate(place - 9))" width="10" height="10" rx="2" \
        fill="var(--c\(item.curve.color % 10))"/>
        """
      )
      shapes.append(text(item.curve.name, x: right + 28, y: place, isName: true))
    }
    return shapes
  }
}
