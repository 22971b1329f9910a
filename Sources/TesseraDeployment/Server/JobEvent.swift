public import Foundation
public import TesseraFederation
internal import TesseraRun

/// What happens to a job, for those who watch it.
public enum JobEvent: Sendable, Hashable {
  /// The job is in another state, or has other sites.
  case changed(JobRecord)
  /// Why the job still waits, and which of its sites are not there.
  case waiting(reason: String, away: [AwaySite])
  /// A site does not take part.
  case declined(site: String, reason: String)
  /// Sites are asked in a round.
  case asked(task: String, round: Int, sites: [String])
  /// A site that trains says how far it is.
  case measured(SiteMeasurement)
  /// A site's answer was used; so many have answered by now.
  case answered(site: String, answers: Int)
  /// A site's answer was not used.
  case refused(site: String, reason: String)
  /// A site of a job that runs is not connected: what it was asked waits for it, as long as the job's patience lasts.
  case away(AwaySite)
  /// It is there again.
  case returned(site: String)
  /// Contents are on their way to sites and from them: those that move, a few times a second.
  case transferring([Transfer])
  /// A round is done and saved.
  case roundFinished(RoundSummary)
  /// The watcher has lost its server, and seeks one. No server says it: who watches, notes it.
  case serverLost(reason: String)
  /// The watcher has found a server, at that address, and goes on where it was.
  case serverFound(String)

  /// A site that is not connected.
  public struct AwaySite: Sendable, Hashable, Codable {
    /// The site.
    public var site: String
    /// Since when, as the server saw it: since the server's own start, if the site has not come since.
    public var since: Date

    /// A site that is away.
    public init(site: String, since: Date) {
      self.site = site
      self.since = since
    }
  }

  /// What a site measures while it is at a task.
  public struct SiteMeasurement: Sendable, Hashable, Codable {
    /// The site.
    public var site: String
    /// The round that the task belongs to.
    public var round: Int
    /// How far the site is, in the trainer's own count: batches, epochs; `nil` if it does not say.
    public var step: Int?
    /// What it measured last, by name.
    public var metrics: [String: Double]

    /// A measurement.
    public init(site: String, round: Int, step: Int? = nil, metrics: [String: Double]) {
      self.site = site
      self.round = round
      self.step = step
      self.metrics = metrics
    }
  }

  /// A content that is on its way.
  public struct Transfer: Sendable, Hashable, Codable {
    /// The site.
    public var site: String
    /// Whether it goes to the site, or comes from it.
    public var direction: TransferProgress.Direction
    /// How many bytes are there, and were verified; those that came over a connection that broke included.
    public var bytes: Int
    /// How many there are.
    public var total: Int
    /// How fast it is; `nil` before that can be told.
    public var bytesPerSecond: Double?
  }

  /// A round that is done.
  public struct RoundSummary: Sendable, Hashable, Codable {
    /// A site whose answer was used.
    public struct Contributor: Sendable, Hashable, Codable {
      /// The site.
      public var site: String
      /// How much its answer counted.
      public var weight: Double
      /// What it measured.
      public var metrics: [String: Double]
    }

    /// The round, from 1.
    public var round: Int
    /// How many there are at most.
    public var rounds: Int
    /// How long it took.
    public var seconds: Double
    /// The sites' mean training loss.
    public var trainingLoss: Double?
    /// The global model's accuracy, if the server measured it.
    public var accuracy: Double?
    /// The bytes of tensors that sites were sent.
    public var bytesDown: Int
    /// The bytes of tensors that sites answered with.
    public var bytesUp: Int
    /// Whose answers were used.
    public var contributors: [Contributor]
    /// Whose were not, and why.
    public var rejected: [String: String]
    /// The digest of the global model.
    public var model: String

    init(_ round: RunManifest.Round, of rounds: Int) {
      self.round = round.round
      self.rounds = rounds
      seconds = round.seconds
      trainingLoss = round.trainingLoss
      accuracy = round.accuracy
      bytesDown = round.bytesDown
      bytesUp = round.bytesUp
      contributors = round.contributors.map {
        Contributor(site: $0.site, weight: $0.weight, metrics: $0.metrics)
      }
      rejected = Dictionary(round.rejected.map { ($0.site, $0.reason) }) { first, _ in first }
      model = round.model
    }
  }
}
