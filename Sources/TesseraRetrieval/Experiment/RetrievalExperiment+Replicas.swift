internal import Crypto
internal import Foundation
internal import TesseraCore
internal import TesseraNN
internal import TesseraRun

/// The processes that train one model together, and which of them this one is.
public struct RetrievalReplicas: Sendable, Hashable {
  /// The number of this process, from 0: the first records the run.
  public var rank: Int
  /// How many processes there are.
  public var size: Int
  /// Where the first can be reached.
  public var host: String
  /// The port at which the first listens for the others.
  public var port: UInt16

  /// Processes of one training.
  public init(rank: Int, of size: Int, host: String = "127.0.0.1", port: UInt16) {
    self.rank = rank
    self.size = size
    self.host = host
    self.port = port
  }

  /// Waits for the others.
  func join() throws -> ReplicaGroup {
    try ReplicaGroup(rank: rank, of: size, host: host, port: port)
  }
}

extension RetrievalExperiment {
  /// Takes part in the trainings of a run that another process records, until that one is done.
  ///
  /// - Parameters:
  ///   - replicas: The processes; this one is not the first.
  ///   - threads: How many threads compute; all cores if `nil`.
  /// - Throws: ``RetrievalError`` if the processes were not given the same plan and data; `TensorError` if one of the others has ended.
  public func assist(_ replicas: RetrievalReplicas, threads: Int? = nil) async throws {
    guard replicas.rank > 0 else {
      throw RetrievalError(code: .invalidArgument, message: "the first process records the run")
    }
    let lane = ComputeLane(threads: threads)
    try await withTaskExecutorPreference(lane) {
      try await assistOnLane(replicas, threads: lane.threads)
    }
  }

  @concurrent
  private func assistOnLane(_ replicas: RetrievalReplicas, threads: Int) async throws {
    let group = try replicas.join()
    try checkAgreement(in: group)
    _ = try Self.threads(of: group, threads)
    while let number = try next(nil, in: group) {
      let planned = trainings[number]
      let training = try makeTraining(planned.system, seed: planned.seed, in: group)
      try share(training, in: group)
      _ = try await training.advance(to: plan.training.steps) { _ in }
    }
  }

  /// Agrees on the training that comes next.
  ///
  /// - Parameters:
  ///   - number: Which it is, in the first process; `nil` there if there is none, and in the others.
  ///   - group: The processes.
  /// - Returns: Which it is; `nil` if there is none.
  /// - Throws: `TensorError` if one of the processes has ended.
  func next(_ number: Int?, in group: ReplicaGroup) throws -> Int? {
    let own = [Int64(number ?? -1)]
    let place = try Int(group.first(Tensor(own)).reshaped(to: []).itemAsInteger())
    return trainings.indices.contains(place) ? place : nil
  }

  /// On how many threads each of the processes computes.
  static func threads(of group: ReplicaGroup, _ own: Int) throws -> [Int] {
    try group.gathered(Tensor([Int64(own)])).array(of: Int64.self).map { Int($0) }
  }

  /// Refuses processes that would not compute the same.
  func checkAgreement(in group: ReplicaGroup) throws {
    let manifest = try newManifest()
    let own =
      [device == .cpu ? "cpu" : "cuda"]
      + manifest.configuration.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
      + manifest.datasets.map(\.digest) + [manifest.initialModel]
    let digest = SHA256.hash(data: Data(own.joined(separator: "\n").utf8))
    let start = digest.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    let all = try group.gathered(Tensor([Int64(bitPattern: start)])).array(of: Int64.self)
    guard let other = all.firstIndex(where: { $0 != all[0] }) else { return }
    throw RetrievalError(
      code: .invalidArgument,
      message:
        "process \(other) was given another plan, other data or another kind of device than process 0"
    )
  }

  /// Has all processes go on from the first one's state.
  func share(_ training: any RetrievalTrainer, in group: ReplicaGroup) throws {
    guard let training = training as? RetrievalTraining else { return }
    let state = try training.state()
    try training.load(
      ModelState(state.entries.map { (name: $0.name, tensor: try group.first($0.tensor)) })
    )
  }
}
