import Foundation
import Measuring
import TesseraCore
import TesseraData
import TesseraFederation
import TesseraNN

/// Our side of a federated training that pfl does, too: one line of JSON with the steps of all sites and the CPU-seconds they
/// took.
enum FederatedTraining {
  /// Divides Fashion-MNIST among eight sites, writes each site's images to a file, and trains.
  ///
  /// - Parameters:
  ///   - file: Where to write the division, as JSON.
  ///   - rounds: How many rounds are counted; one before them is not, while libraries warm up.
  /// - Throws: What reading the images, writing the file or training throws.
  static func run(writing file: String, rounds: Int) async throws {
    let train = try FashionMNIST.load(.train, from: FashionMNIST.debianFolder)
    let key = RandomKey(seed: 1)
    let partition = try Dirichlet(alpha: 0.5)
      .indices(labels: train.labelList, sites: 8, key: key["partition"])
    try JSONEncoder().encode(partition).write(to: URL(filePath: file))
    let training = ClassifierTraining(
      dataset: train,
      batchSize: 64,
      learningRate: .constant(0.05)
    ) { try ImageClassifier(using: $0) }
    let federation = Federation(
      workflow: try FedAvg(rounds: rounds + 1),
      transport: InProcessTransport(
        sites: partition.enumerated().map {
          Site(index: $0, name: "site-\($0 + 1)", exampleCount: $1.count)
        },
        executor: ClassifierExecutor(training: training, partition: partition, epochs: 1),
        // One thread, as the other side: two on a virtual machine's two halves of a core count the seconds in which they wait for
        // each other.
        pool: LanePool(lanes: 1)
      ),
      key: key
    )
    var ends: [Double] = []
    let (state, _) = try await federation.run(
      from: WorkflowState(model: training.initialState(key: key)),
      finishRound: { _ in ends.append(cpuSeconds()) }
    )
    let score = try ClassifierScore(
      of: training.model(with: state.model),
      on: train,
      in: 0..<10_000
    )
    let steps = rounds * partition.reduce(0) { $0 + ($1.count + 63) / 64 }
    let cpu = (ends.last ?? 0) - (ends.first ?? 0)
    print(#"{"steps": \#(steps), "cpu": \#(cpu), "accuracy": \#(score.evaluation.accuracy)}"#)
  }

  /// The process's own and the system's for it.
  private static func cpuSeconds() -> Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    return seconds(usage.ru_utime) + seconds(usage.ru_stime)
  }
}
