public import Foundation

/// What a site says of itself.
public struct SiteDescription: Sendable, Hashable, Codable {
  /// Its name.
  public var name: String
  /// To whom it belongs.
  public var organisation: String
  /// The version of its program.
  public var version: String
  /// What jobs may use there together.
  public var resources: Resources
  /// The names of its data, by kind: `images`, `tables`, `folders`.
  public var data: [String: [String]]
  /// The jobs that it has.
  public var jobs: [String]
  /// How many bytes are free where it keeps its jobs.
  public var freeDisk: Int
  /// Since when it runs.
  public var started: Date
  /// When its certificate ends.
  public var certificateEnds: Date
  /// What time it is there, when it is asked.
  public var time: Date?
  /// By how many seconds its clock is ahead of the server's, as the server sees it; `nil` before that has asked.
  public var clockDifference: Double?
  /// What its policy says of what the server holds of it: told to the server alone.
  public var rights: RightsOverJobs?
}
