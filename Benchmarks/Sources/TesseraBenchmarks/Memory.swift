import CReference
import Foundation
import Measuring
import TesseraCore
import TesseraFederation

extension Memory {
  /// Begins to measure this process's peak anew.
  static func forgetPeak() throws {
    // What an allocator keeps for later would hide what is needed anew.
    reference_trim_memory()
    let file = try FileHandle(forWritingTo: URL(filePath: "/proc/self/clear_refs"))
    try file.write(contentsOf: Data("5".utf8))
    try file.close()
  }
}

/// What aggregating costs in memory beside the model and one update.
enum MeanMemory {
  static func run() throws {
    let model = try ModelState(
      (0..<10).map { (name: "tensor\($0)", tensor: try Tensor.full(0.5, shape: [2_500_000])) }
    )
    let update = Exchange.weights(try model.mapTensors { try $1 + 0.001 }, weight: 1)
    let rules: [(String, any AggregationRule)] = [
      ("weighted mean", .weightedMean), ("norm bound", try .normBound(1)),
    ]
    for (name, rule) in rules {
      for count in [2, 50] {
        let sites = (0..<count).map { Site(index: $0, name: "site-\($0 + 1)", exampleCount: 1) }
        try Memory.forgetPeak()
        let before = try Memory.current()
        var aggregation = try rule.begin(AggregationRound(reference: model, sites: sites))
        for site in sites { _ = try aggregation.fold(update, from: site) }
        let result = try aggregation.result()
        let extra = Double(try Memory.peak() - before) / Double(result.byteCount)
        report(
          "extra memory of the \(name), \(count) sites",
          ours: String(format: "%.2f models", extra),
          theirs: "limit 2.5 models",
          ratio: extra / 2.5,
          limit: 1
        )
      }
    }
  }
}
