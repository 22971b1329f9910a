internal import Foundation

/// What all stores of jobs have in common: the form in which records are kept, and which changes there can be.
extension JobRecord {
  /// The record as it is kept.
  func stored() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return String(decoding: try encoder.encode(KeptJob(record: self)), as: UTF8.self)
    } catch {
      throw DeploymentError(
        code: .invalidArgument,
        message: "the record of job \(id) cannot be written down"
      )
    }
  }

  /// Reads a record as it is kept.
  ///
  /// - Parameters:
  ///   - text: What ``JobRecord/stored()`` made.
  ///   - id: The job that it is kept for.
  ///   - place: Where it is kept, for messages.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/cannotRead``.
  init(stored text: String, of id: String, in place: String) throws {
    do {
      self = try JSONDecoder().decode(KeptJob.self, from: Data(text.utf8)).record
    } catch {
      throw DeploymentError(
        code: .cannotRead,
        message: "\(place) is damaged: the record of job \(id) cannot be understood"
      )
    }
    guard self.id == id else {
      throw DeploymentError(
        code: .cannotRead,
        message: "\(place) is damaged: the record of job \(id) is that of another"
      )
    }
  }

  /// The record after a change, if there can be such a change.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/notAllowed``, and what `change` throws.
  func changed(by change: (inout JobRecord) throws -> Void) throws -> JobRecord {
    var changed = self
    try change(&changed)
    guard changed.id == id else {
      throw DeploymentError(
        code: .notAllowed,
        message: "job \(id) cannot become job \(changed.id)"
      )
    }
    guard changed.state == state || state.canBecome(changed.state) else {
      throw DeploymentError(
        code: .notAllowed,
        message: "job \(id) is \(state.name), and cannot become \(changed.state.name)"
      )
    }
    return changed
  }

  /// Refuses to forget a job that goes on.
  func requireOver() throws {
    guard state.isOver else {
      throw DeploymentError(
        code: .notAllowed,
        message: "job \(id) is \(state.name): only a job that is over can be removed"
      )
    }
  }
}

/// A record with what is kept of it and not told.
private struct KeptJob: Codable {
  var record: JobRecord

  private enum Key: String, CodingKey { case siteRights, declined }

  init(record: JobRecord) { self.record = record }

  init(from decoder: any Decoder) throws {
    record = try JobRecord(from: decoder)
    let object = try decoder.container(keyedBy: Key.self)
    record.siteRights =
      try object.decodeIfPresent([String: RightsOverJobs].self, forKey: .siteRights) ?? [:]
    record.declined = try object.decodeIfPresent([String: String].self, forKey: .declined) ?? [:]
  }

  func encode(to encoder: any Encoder) throws {
    try record.encode(to: encoder)
    var object = encoder.container(keyedBy: Key.self)
    if !record.siteRights.isEmpty { try object.encode(record.siteRights, forKey: .siteRights) }
    if !record.declined.isEmpty { try object.encode(record.declined, forKey: .declined) }
  }
}

extension DeploymentError {
  static func noJob(_ id: String) -> Self {
    Self(code: .notFound, message: "there is no job \(id)")
  }

  static func alreadyJob(_ id: String) -> Self {
    Self(code: .alreadyThere, message: "there is a job \(id) already")
  }
}
