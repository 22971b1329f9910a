import Foundation
import Measuring
import TesseraCore
import TesseraFederation

/// Folding 100 MB updates into an aggregate on one core.
enum Folding {
  static func run(rounds: Int) throws {
    let generator = try Generator(seed: 1)
    let count = 25 << 20
    let model = try ModelState([
      (name: "a", tensor: try Tensor.zeros([count / 2])),
      (name: "b", tensor: try Tensor.zeros([count / 2])),
    ])
    let updates = try (0..<3).map { _ in
      Exchange.weights(
        try model.mapTensors { _, tensor in
          try Tensor.normal(tensor.shape, deviation: 0.05, using: generator)
        },
        weight: 100
      )
    }
    let site = Site(index: 0, name: "site-1", exampleCount: 100)
    var mean = try RunningMean(updating: model, capacity: 1e6)
    for update in updates { try mean.fold(update, from: site) }
    let times = try (0..<rounds).map { _ in
      try seconds { for update in updates { try mean.fold(update, from: site) } } / 3
    }
    let rate = Double(count * 4) / median(times) / 1e9
    report(
      "folding 100 MB updates, one core",
      ours: String(format: "%.2f GB/s", rate),
      theirs: "limit 2.5 GB/s",
      ratio: 2.5 / rate,
      limit: 1
    )
  }
}
