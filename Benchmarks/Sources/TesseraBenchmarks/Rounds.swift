import Foundation
import Measuring
import TesseraCore
import TesseraFederation

/// Rounds whose sites add a constant to the model: what a round costs beside training.
struct Rounds {
  struct AddingExecutor: Executor {
    func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
      .weights(try task.model.mapTensors { try $1 + 0.001 }, weight: 1, metrics: ["loss": 0])
    }
  }

  /// How many sites are registered.
  var sites: Int
  /// How many of them take part in a round.
  var sampled: Int
  /// The sizes of the model's tensors, in elements of 4 bytes.
  var tensors: [Int]

  /// The seconds of each round.
  func times(rounds: Int) async throws -> [Double] {
    let sites = (0..<sites).map { Site(index: $0, name: "site-\($0 + 1)", exampleCount: 1) }
    let federation = Federation(
      workflow: try FedAvg(rounds: rounds, fraction: Double(sampled) / Double(sites.count)),
      transport: InProcessTransport(
        sites: sites,
        executor: AddingExecutor(),
        pool: LanePool(lanes: ProcessInfo.processInfo.activeProcessorCount)
      ),
      key: RandomKey(seed: 1)
    )
    var times: [Double] = []
    _ = try await federation.run(
      from: WorkflowState(model: model()),
      finishRound: { times.append($0.duration / .seconds(1)) }
    )
    return times
  }

  private func model() throws -> ModelState {
    try ModelState(
      tensors.enumerated().map { (name: "tensor\($0)", tensor: try Tensor.zeros([$1])) }
    )
  }

  /// 1 KB at 8 sites.
  static func small(rounds: Int) async throws {
    let times = try await Rounds(sites: 8, sampled: 8, tensors: [256]).times(rounds: 20 * rounds)
    report(
      "round of 8 sites, 1 KB",
      ours: milliseconds(median(times)),
      theirs: "limit 0.3 ms (pfl 0.6: 1.4–2.1 ms)",
      ratio: median(times) / 0.3e-3,
      limit: 1
    )
  }

  /// 100 MB at 2 sites, in one tensor.
  static func large(rounds: Int) async throws {
    try await large(rounds: rounds, tensors: [25_000_000], what: "one tensor")
  }

  /// 102 MB at 2 sites, in the 161 tensors of a ResNet-50.
  static func layered(rounds: Int) async throws {
    try await large(rounds: rounds, tensors: resNet50, what: "ResNet-50's 161 tensors")
  }

  /// The sizes of the parameters of a ResNet-50 with a thousand classes.
  private static var resNet50: [Int] {
    func convolution(_ inputs: Int, _ outputs: Int, kernel: Int) -> [Int] {
      [inputs * outputs * kernel * kernel, outputs, outputs]
    }
    var sizes = convolution(3, 64, kernel: 7)
    var inputs = 64
    for (width, blocks) in [(64, 3), (128, 4), (256, 6), (512, 3)] {
      for block in 0..<blocks {
        sizes += convolution(inputs, width, kernel: 1) + convolution(width, width, kernel: 3)
        sizes += convolution(width, 4 * width, kernel: 1)
        if block == 0 { sizes += convolution(inputs, 4 * width, kernel: 1) }
        inputs = 4 * width
      }
    }
    return sizes + [2048 * 1000, 1000]
  }

  private static func large(rounds: Int, tensors: [Int], what: String) async throws {
    let times = try await Rounds(sites: 2, sampled: 2, tensors: tensors).times(rounds: rounds)
    let peak = Double(try Memory.peak()) / 1e6
    report(
      "round of 2 sites, 100 MB in \(what)",
      ours: String(format: "%.3f s", median(times)),
      theirs: "limit 0.15 s (pfl 0.6: 0.27–0.5 s)",
      ratio: median(times) / 0.15,
      limit: 1
    )
    report(
      "peak memory of these rounds, in all",
      ours: String(format: "%.0f MB", peak),
      theirs: "limit 700 MB (pfl 0.6: 697 MB)",
      ratio: peak / 700,
      limit: 1
    )
  }

  /// 1 KB at 1,000 sites, of 1,000 and of 100,000.
  static func many(rounds: Int) async throws {
    for registered in [1000, 100_000] {
      let before = try Memory.current()
      let times = try await Rounds(sites: registered, sampled: 1000, tensors: [256])
        .times(rounds: rounds)
      let bytes = Double(max(0, try Memory.peak() - before)) / Double(registered)
      let perSite = median(times) / 1000 * 1e6
      report(
        "1,000 of \(registered) sites, 1 KB",
        ours: String(format: "%.1f µs per site and round", perSite),
        theirs: "limit 20 µs (pfl 0.6: 190–416 µs)",
        ratio: perSite / 20,
        limit: 1
      )
      guard registered > 1000 else { continue }
      report(
        "peak memory of these rounds",
        ours: String(format: "%.0f bytes for each registered site", bytes),
        theirs: "limit 1,024 bytes, the model's size",
        ratio: bytes / 1024,
        limit: 1
      )
    }
  }
}
