import Foundation

/// Seconds that `body` takes.
public func seconds(_ body: () throws -> Void) rethrows -> Double {
  let start = ContinuousClock.now
  try body()
  return (ContinuousClock.now - start) / .seconds(1)
}

/// The value in the middle; of an even number, the mean of the two there.
public func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  let middle = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/// Two medians of interleaved runs, so that a disturbance of the machine meets both.
public func compare(
  rounds: Int,
  ours: () throws -> Double,
  theirs: () throws -> Double
) rethrows -> (ours: Double, theirs: Double, ratio: Double) {
  var a: [Double] = []
  var b: [Double] = []
  for round in 0..<rounds {
    // Who goes first alternates.
    if round % 2 == 0 {
      a.append(try ours())
      b.append(try theirs())
    } else {
      b.append(try theirs())
      a.append(try ours())
    }
  }
  return (median(a), median(b), median(zip(a, b).map { $0 / $1 }))
}

/// One line of results: the figure, the peer's or the limit's, the ratio, and whether the bar holds.
public func report(_ name: String, ours: String, theirs: String, ratio: Double, limit: Double) {
  let verdict = ratio <= limit ? "holds" : "MISSED"
  print(
    "\(name): ours \(ours), against \(theirs): "
      + String(format: "ratio %.3f (bar %.2f, %@)", ratio, limit, verdict)
  )
}

/// Seconds, as text in milliseconds.
public func milliseconds(_ value: Double) -> String { String(format: "%.3f ms", value * 1e3) }
