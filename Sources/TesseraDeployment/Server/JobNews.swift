public import Foundation

/// An event of a job, and when it happened: what those who watch are told.
///
/// As JSON it is the event's object, with `time` beside the rest:
///
///     {"event":"site returned","site":"north","time":"2026-03-01T12:00:00Z"}
public struct JobNews: Sendable, Hashable, Codable {
  /// What happened.
  public var event: JobEvent
  /// When it was told first; of a round that a server has from its record, when that was read.
  public var time: Date

  /// News.
  public init(_ event: JobEvent, at time: Date = Date()) {
    self.event = event
    self.time = time
  }

  private enum Key: String, CodingKey { case time }

  /// Writes the event's object, with the time.
  public func encode(to encoder: any Encoder) throws {
    try event.encode(to: encoder)
    var object = encoder.container(keyedBy: Key.self)
    try object.encode(time, forKey: .time)
  }

  /// Reads the event's object, with the time.
  public init(from decoder: any Decoder) throws {
    event = try JobEvent(from: decoder)
    time = try decoder.container(keyedBy: Key.self).decode(Date.self, forKey: .time)
  }
}
