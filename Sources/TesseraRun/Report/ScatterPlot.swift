/// Named points of a plane in groups, each of a colour: languages by their family.
public struct ScatterPlot: Plot {
  /// A point.
  public struct Point: Sendable {
    /// What stands beside it.
    public var name: String
    /// To the right.
    public var x: Double
    /// Up.
    public var y: Double
    /// Its group, by its place in ``ScatterPlot/groups``.
    public var group: Int

    /// Makes a point.
    public init(_ name: String, x: Double, y: Double, group: Int) {
      self.name = name
      self.x = x
      self.y = y
      self.group = group
    }
  }

  /// The points.
  public var points: [Point]
  /// What the groups are called; each has the colour of its place.
  public var groups: [String]
  /// What is shown, for those who cannot see it.
  public var label: String

  /// Makes a plot.
  public init(_ points: [Point], groups: [String], label: String) {
    self.points = points
    self.groups = groups
    self.label = label
  }

  /// The drawing: what points mean is how near they are, so both directions have one scale and no marks.
  public var svg: String {
    let (width, height) = (900.0, 560.0)
    let (left, right, top, bottom) = (24.0, 700.0, 20.0, 540.0)
    let finite = points.filter { $0.x.isFinite && $0.y.isFinite }
    func range(_ values: [Double]) -> (middle: Double, length: Double) {
      let (low, high) = (values.min() ?? 0, values.max() ?? 0)
      return ((low + high) / 2, high - low)
    }
    let (across, up) = (range(finite.map(\.x)), range(finite.map(\.y)))
    let scale = min(
      (right - left - 60) / max(across.length, 1e-12),
      (bottom - top - 40) / max(up.length, 1e-12)
    )
    func x(_ point: Point) -> Double { (left + right) / 2 + (point.x - across.middle) * scale }
    func y(_ point: Point) -> Double { (top + bottom) / 2 - (point.y - up.middle) * scale }

    var shapes = finite.map { point in
      """
      <circle cx="\(coordinate(x(point)))" cy="\(coordinate(y(point)))" r="5" \
      fill="var(--c\(point.group % 10))"><title>\(escaped(point.name)), \
      \(escaped(groups.indices.contains(point.group) ? groups[point.group] : ""))</title></circle>
      """
    }
    shapes += names(finite, x: x, y: y)
    let used = Set(finite.map(\.group))
    for (row, group) in groups.indices.filter(used.contains).enumerated() {
      let place = top + 18 + 22 * Double(row)
      shapes.append(
        """
        <circle cx="\(coordinate(right + 24))" cy="\(coordinate(place - 4))" r="5" \
        fill="var(--c\(group % 10))"/>
        """
      )
      shapes.append(text(groups[group], x: right + 36, y: place, isName: true))
    }
    return drawing(width: width, height: height, label: label, shapes)
  }

  /// Each name at the side of its point where the fewest others are.
  private func names(
    _ points: [Point],
    x: (Point) -> Double,
    y: (Point) -> Double
  ) -> [String] {
    struct Box {
      var left: Double
      var right: Double
      var top: Double
      var bottom: Double

      func overlap(with other: Box) -> Double {
        max(0, min(right, other.right) - max(left, other.left))
          * max(0, min(bottom, other.bottom) - max(top, other.top))
      }
    }
    var taken = points.map { point in
      Box(left: x(point) - 5, right: x(point) + 5, top: y(point) - 5, bottom: y(point) + 5)
    }
    return points.map { point in
      // About as wide as the letters are.
      let width = 7.2 * Double(point.name.count)
      let (px, py) = (x(point), y(point))
      let sides: [(box: Box, x: Double, y: Double, anchor: String)] = [
        (
          Box(left: px + 8, right: px + 8 + width, top: py - 8, bottom: py + 6), px + 8, py + 4,
          "start"
        ),
        (
          Box(left: px - 8 - width, right: px - 8, top: py - 8, bottom: py + 6), px - 8, py + 4,
          "end"
        ),
        (
          Box(left: px - width / 2, right: px + width / 2, top: py - 22, bottom: py - 8), px,
          py - 10, "middle"
        ),
        (
          Box(left: px - width / 2, right: px + width / 2, top: py + 8, bottom: py + 22), px,
          py + 19, "middle"
        ),
      ]
      let costs = sides.map { side in taken.reduce(0) { $0 + $1.overlap(with: side.box) } }
      // The first of equal ones: to the right, where nothing is in the way.
      let best = costs.indices.min { costs[$0] < costs[$1] } ?? 0
      taken.append(sides[best].box)
      return text(
        point.name,
        x: sides[best].x,
        y: sides[best].y,
        anchor: sides[best].anchor,
        isName: true
      )
    }
  }
}
