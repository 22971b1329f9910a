internal import Foundation

/// A drawing for a page, as inline SVG in the page's colours.
public protocol Plot: Sendable {
  /// The drawing.
  var svg: String { get }
}

/// The marks of an axis: round numbers that cover the data.
struct Axis {
  let low: Double
  let high: Double
  let ticks: [Double]
  private let decimals: Int

  /// An axis over the finite ones of some values, with about `count` marks.
  init(covering values: [Double], from origin: Double? = nil, count: Int = 5) {
    let finite = (values + (origin.map { [$0] } ?? [])).filter(\.isFinite)
    var (least, most) = (finite.min() ?? 0, finite.max() ?? 1)
    // Data of one value still get an axis with a length.
    if most - least < 1e-12 * max(abs(least), abs(most), 1e-3) {
      let margin = max(abs(most) * 0.1, 0.5)
      (least, most) = (origin ?? (least - margin), most + margin)
    }
    let rough = (most - least) / Double(max(count, 1))
    let power = pow(10, floor(log10(rough)))
    let step = [1, 2, 2.5, 5, 10].map { $0 * power }.first { $0 >= rough * 0.999 } ?? rough
    let first = floor(least / step + 1e-9)
    let last = ceil(most / step - 1e-9)
    low = first * step
    high = last * step
    ticks = stride(from: first, through: last, by: 1).map { $0 * step }
    let places = -floor(log10(step) + 1e-9)
    let isQuarter = abs(step / power - 2.5) < 1e-9
    decimals = Int(min(max(places + (isQuarter ? 1 : 0), 0), 6))
  }

  /// Where a value lies, 0 at the low end and 1 at the high one.
  func position(_ value: Double) -> Double { (value - low) / (high - low) }

  /// A mark's label.
  func label(_ value: Double) -> String { String(format: "%.\(decimals)f", value) }
}

/// A number for SVG: two decimals are finer than a pixel.
func coordinate(_ value: Double) -> String { String(format: "%.2f", value.isFinite ? value : 0) }

/// The drawing around some shapes, described for those who cannot see it.
func drawing(width: Double, height: Double, label: String, _ shapes: [String]) -> String {
  """
  <svg viewBox="0 0 \(coordinate(width)) \(coordinate(height))" role="img" \
  aria-label="\(escaped(label))">
  \(shapes.joined(separator: "\n"))
  </svg>
  """
}

func text(
  _ content: String,
  x: Double,
  y: Double,
  anchor: String = "start",
  isName: Bool = false
) -> String {
  """
  <text x="\(coordinate(x))" y="\(coordinate(y))" text-anchor="\(anchor)"\
  \(isName ? " class=\"name\"" : "")>\(escaped(content))</text>
  """
}

func gridLine(x1: Double, y1: Double, x2: Double, y2: Double) -> String {
  """
  <line class="grid" x1="\(coordinate(x1))" y1="\(coordinate(y1))" x2="\(coordinate(x2))" \
  y2="\(coordinate(y2))"/>
  """
}
