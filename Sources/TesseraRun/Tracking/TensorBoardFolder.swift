public import Foundation
internal import Synchronization
public import SystemPackage

/// The TensorBoard files of a run: one for each training, and one for each of its sites.
///
/// `tensorboard --logdir RUN/tensorboard` shows them as `fedavg`, `fedavg/site-1` and so on. Of trainings with more sites than
/// ``mostSites`` in a round there are only the training's own curves: nobody looks at thousands.
public final class TensorBoardFolder: Sendable {
  /// How many sites of a round get curves of their own.
  public static let mostSites = 64

  private let folder: FilePath
  private let files = Mutex<[String: TensorBoardFile]>([:])

  /// The files in a folder, which is made when the first measurement comes.
  public init(_ folder: FilePath) {
    self.folder = folder
  }

  /// Adds what a round of a training came to.
  ///
  /// - Parameters:
  ///   - round: The round.
  ///   - training: The training's name.
  ///   - efforts: What it took of sites, by their names: seconds, bytes.
  ///   - time: When it was done.
  /// - Throws: ``RunError`` with code ``RunError/Code/cannotWrite`` if the system refuses.
  public func add(
    _ round: RunManifest.Round,
    of training: String,
    efforts: [String: [String: Double]] = [:],
    at time: Date
  ) throws {
    let hasSites = round.contributors.count <= Self.mostSites
    for line in RoundMetric.lines(of: round, in: training) where line.site == nil || hasSites {
      let name = ([training] + (line.site.map { [$0] } ?? [])).joined(separator: "/")
      let file = try file(name, at: time, round: round.round)
      let effort = line.site.flatMap { efforts[$0] } ?? [:]
      // What a site measures goes before what was measured of it.
      let metrics = line.metrics.merging(effort) { measured, _ in measured }
      for (metric, value) in metrics.sorted(by: { $0.key < $1.key }) {
        try file.add(scalar: metric, value, step: round.round, at: time)
      }
      try file.flush()
    }
  }

  private func file(_ name: String, at time: Date, round: Int) throws -> TensorBoardFile {
    try files.withLock { files in
      if let file = files[name] { return file }
      var path = folder
      for part in [""] + name.split(separator: "/").map(String.init) {
        if !part.isEmpty { path.append(part) }
        mkdir(path.string, 0o777)
      }
      // A run that was killed may have been further than what it goes on from.
      let file = try TensorBoardFile(
        in: path,
        started: time,
        goingOnAt: round > 1 ? round : nil
      )
      files[name] = file
      return file
    }
  }
}
