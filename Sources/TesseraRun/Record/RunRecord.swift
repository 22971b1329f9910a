internal import Foundation
public import SystemPackage
internal import TesseraCore

/// The folder that a run leaves behind: `run.json`, `journal.jsonl`, `metrics.jsonl`, `report.html`, `model.safetensors`.
///
/// Every file is complete or not there, and the journal always says how far the run has come, so a run that was killed at
/// any moment can be gone on with.
public struct RunRecord: Sendable {
  /// The folder.
  public let folder: FilePath

  /// What the run was and did.
  public var manifestFile: FilePath { folder.appending("run.json") }
  /// What happened, event by event: a ``Journal`` of ``RunEvent``s.
  public var journalFile: FilePath { folder.appending("journal.jsonl") }
  /// One line of JSON for each measurement.
  public var metricsFile: FilePath { folder.appending("metrics.jsonl") }
  /// For people.
  public var reportFile: FilePath { folder.appending("report.html") }
  /// The last global model of the run's first training.
  public var modelFile: FilePath { folder.appending("model.safetensors") }

  /// The last global model of a training.
  public func modelFile(of training: String, in manifest: RunManifest) -> FilePath {
    let isFirst = manifest.trainings.first?.name == training
    return isFirst ? modelFile : folder.appending("model-\(training).safetensors")
  }

  init(folder: FilePath) {
    self.folder = folder
  }

  /// Whether a folder is one that a run has left behind.
  public static func isRecord(_ folder: FilePath) -> Bool {
    FileManager.default.fileExists(atPath: RunRecord(folder: folder).manifestFile.string)
  }

  /// Takes the right to write to the record.
  ///
  /// - Returns: A lock that holds as long as it is kept.
  /// - Throws: ``RunError`` with code ``RunError/Code/inUse`` if another process has it.
  public func lock() throws -> RecordLock {
    do {
      // One that only looks whether the run is in use holds a lock for a moment.
      for attempt in 0..<5 {
        if attempt > 0 { usleep(20_000) }
        if let lock = try RecordLock(folder) { return lock }
      }
    } catch let error as Errno {
      throw RunError(code: .notARecord, message: "cannot open \(folder): \(error)")
    }
    throw RunError(code: .inUse, message: "\(folder) is in use by another process")
  }

  /// Whether a process is at work on the run.
  public var isInUse: Bool {
    do {
      return try RecordLock(folder, isShared: true) == nil
    } catch {
      return false
    }
  }

  /// Removes what a killed process had not finished writing.
  public func removePartialFiles() {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.string)) ?? []
    for name in names where name.hasPrefix(".") && name.hasSuffix(".partial") {
      unlink(folder.appending(name).string)
    }
  }

  /// Opens the record of an earlier run.
  ///
  /// - Throws: ``RunError`` with code ``RunError/Code/notARecord`` if there is none.
  public static func open(at folder: FilePath) throws -> RunRecord {
    let record = RunRecord(folder: folder)
    guard FileManager.default.fileExists(atPath: record.manifestFile.string) else {
      throw RunError(
        code: .notARecord,
        message: "\(folder) is not the folder of a run: it has no run.json"
      )
    }
    return record
  }

  /// What the run was and did.
  ///
  /// - Throws: ``RunError`` with code ``RunError/Code/malformedRecord``, naming the file and the field.
  public func manifest() throws -> RunManifest {
    var manifest = try manifestBeforeJournal()
    if FileManager.default.fileExists(atPath: journalFile.string) {
      // What a power cut has left after events that it took is not for those who read, either.
      try Journal<RunEvent>.read(at: journalFile, endsAtHoles: true) { try manifest.apply($0) }
    }
    return manifest
  }

  /// What `run.json` says: the rest is in the journal.
  func manifestBeforeJournal() throws -> RunManifest {
    func malformed(_ what: String) -> RunError {
      RunError(code: .malformedRecord, message: "\(manifestFile) is damaged: \(what)")
    }
    guard let data = FileManager.default.contents(atPath: manifestFile.string) else {
      throw malformed("it cannot be read")
    }
    do {
      let manifest = try Self.decoder.decode(RunManifest.self, from: data)
      guard manifest.format == RunManifest.currentFormat else {
        throw malformed("format \(manifest.format) is of another version of Tessera")
      }
      return manifest
    } catch let error as DecodingError {
      throw malformed(error.fieldDescription)
    }
  }

  /// Replaces `run.json`.
  public func write(_ manifest: RunManifest) throws {
    let encoder = Self.encoder
    encoder.outputFormatting.insert(.prettyPrinted)
    let text = String(decoding: try encoder.encode(manifest), as: UTF8.self)
    try AtomicFile.write(text + "\n", to: manifestFile)
  }

  /// Replaces `metrics.jsonl`: after a kill it may lack a line, or end within one.
  public func write(metrics: [some Encodable]) throws {
    let encoder = Self.encoder
    let lines = try metrics.map { String(decoding: try encoder.encode($0), as: UTF8.self) + "\n" }
    try AtomicFile.write(lines.joined(), to: metricsFile)
  }

  /// Adds lines to `metrics.jsonl`.
  public func append(metrics: [some Encodable]) throws {
    let encoder = Self.encoder
    let lines = try metrics.flatMap { try encoder.encode($0) + [UInt8(ascii: "\n")] }
    do {
      let descriptor = try FileDescriptor.open(
        metricsFile,
        .writeOnly,
        options: [.create, .append],
        permissions: [.ownerReadWrite, .groupRead, .otherRead]
      )
      try descriptor.closeAfter { _ = try descriptor.writeAll(lines) }
    } catch let error as Errno {
      throw RunError(code: .cannotWrite, message: "cannot write \(metricsFile): \(error)")
    }
  }

  // JSON has no infinity; a loss may be one.
  static var encoder: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf",
      negativeInfinity: "-inf",
      nan: "nan"
    )
    return encoder
  }

  static var decoder: JSONDecoder {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf",
      negativeInfinity: "-inf",
      nan: "nan"
    )
    return decoder
  }

  /// The lines of `metrics.jsonl` that are whole, read as `Metric`.
  public func metrics<Metric: Decodable>(of type: Metric.Type = Metric.self) -> [Metric] {
    let data = FileManager.default.contents(atPath: metricsFile.string) ?? Data()
    let decoder = Self.decoder
    return data.split(separator: UInt8(ascii: "\n")).compactMap {
      try? decoder.decode(Metric.self, from: Data($0))
    }
  }

  /// The records in a folder, oldest first, and the folders whose record is damaged; of a run's own folder, its record.
  public static func list(
    in parent: FilePath
  ) -> (runs: [(record: RunRecord, manifest: RunManifest)], damaged: [any Error]) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: parent.string)) ?? []
    var runs: [(record: RunRecord, manifest: RunManifest)] = []
    var damaged: [any Error] = []
    for folder in [parent] + names.sorted().map({ parent.appending($0) }) {
      guard let record = try? RunRecord.open(at: folder) else { continue }
      do {
        runs.append((record, try record.manifest()))
      } catch {
        damaged.append(error)
      }
    }
    runs.sort { $0.manifest.started < $1.manifest.started }
    return (runs, damaged)
  }
}
