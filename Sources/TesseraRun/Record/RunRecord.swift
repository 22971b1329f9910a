public import Foundation
public import SystemPackage
internal import TesseraCore

/// The folder that a run leaves behind: `run.json`, `metrics.jsonl`, `report.html`, `model.safetensors`.
///
/// Every file is complete or not there, and `run.json` always says how far the run has come, so a run that was killed at
/// any moment can be gone on with.
public struct RunRecord: Sendable {
  /// The folder.
  public let folder: FilePath

  /// What the run was and did.
  public var manifestFile: FilePath { folder.appending("run.json") }
  /// One line of JSON for each measurement.
  public var metricsFile: FilePath { folder.appending("metrics.jsonl") }
  /// For people.
  public var reportFile: FilePath { folder.appending("report.html") }
  /// The last global model.
  public var modelFile: FilePath { folder.appending("model.safetensors") }

  private init(folder: FilePath) {
    self.folder = folder
  }

  /// Starts a record in a new folder.
  ///
  /// - Parameters:
  ///   - folder: Does not exist, or is empty; its parents are made.
  ///   - manifest: The first contents of `run.json`.
  /// - Returns: The record, with its first `run.json`.
  /// - Throws: ``RunError`` with code ``RunError/Code/cannotWrite`` if the folder is in use or cannot be made.
  public static func create(at folder: FilePath, _ manifest: RunManifest) throws -> RunRecord {
    func refused(_ reason: String) -> RunError {
      RunError(code: .cannotWrite, message: "cannot make the run folder \(folder): \(reason)")
    }
    let files = FileManager.default
    var isFolder: ObjCBool = false
    if files.fileExists(atPath: folder.string, isDirectory: &isFolder) {
      guard isFolder.boolValue else { throw refused("a file of that name is there") }
      let contents = (try? files.contentsOfDirectory(atPath: folder.string)) ?? [""]
      guard contents.isEmpty else { throw refused("it is not empty") }
    } else {
      do {
        try files.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
      } catch {
        throw refused(reason(of: error))
      }
    }
    let record = RunRecord(folder: folder)
    do {
      try record.write(manifest)
    } catch {
      // Nothing half-written stays behind.
      rmdir(folder.string)
      throw error
    }
    return record
  }

  /// A name for a new run's folder that is not taken: `2026-11-24-1530-quickstart`.
  public static func freshName(for kind: String, in parent: FilePath, at date: Date) -> FilePath {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.dateFormat = "yyyy-MM-dd-HHmm"
    let base = "\(formatter.string(from: date))-\(kind)"
    var name = base
    var number = 2
    while FileManager.default.fileExists(atPath: parent.appending(name).string) {
      name = "\(base)-\(number)"
      number += 1
    }
    return parent.appending(name)
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
    func malformed(_ what: String) -> RunError {
      RunError(code: .malformedRecord, message: "\(manifestFile) is damaged: \(what)")
    }
    func path(_ context: DecodingError.Context, _ last: (any CodingKey)? = nil) -> String {
      let keys = context.codingPath + (last.map { [$0] } ?? [])
      return keys.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
    }
    guard let data = FileManager.default.contents(atPath: manifestFile.string) else {
      throw malformed("it cannot be read")
    }
    do {
      let manifest = try JSONDecoder().decode(RunManifest.self, from: data)
      guard manifest.format == 1 else {
        throw malformed("format \(manifest.format) is of another version of Tessera")
      }
      return manifest
    } catch DecodingError.keyNotFound(let key, let context) {
      throw malformed("the field '\(path(context, key))' is missing")
    } catch DecodingError.typeMismatch(_, let context) {
      throw malformed("the field '\(path(context))' has the wrong type")
    } catch DecodingError.valueNotFound(_, let context) {
      throw malformed("the field '\(path(context))' is empty")
    } catch DecodingError.dataCorrupted(let context) {
      let field = path(context)
      throw malformed(field.isEmpty ? "it is not JSON" : "the field '\(field)' has a bad value")
    }
  }

  /// Replaces `run.json`.
  public func write(_ manifest: RunManifest) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    let text = String(decoding: try encoder.encode(manifest), as: UTF8.self)
    try AtomicFile.write(text + "\n", to: manifestFile)
  }

  /// Adds a line to `metrics.jsonl`.
  ///
  /// What a kill left of a last line is cut off first.
  public func append(metric: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let line = String(decoding: try encoder.encode(metric), as: UTF8.self) + "\n"
    do {
      let descriptor = try FileDescriptor.open(
        metricsFile,
        .readWrite,
        options: [.create],
        permissions: [.ownerReadWrite, .groupRead, .otherRead]
      )
      try descriptor.closeAfter {
        let existing = FileManager.default.contents(atPath: metricsFile.string) ?? Data()
        let end = existing.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        if end < existing.count { try descriptor.resize(to: Int64(end)) }
        try descriptor.seek(offset: Int64(end), from: .start)
        try descriptor.writeAll(line.utf8)
      }
    } catch let error as Errno {
      throw RunError(code: .cannotWrite, message: "cannot write \(metricsFile): \(error)")
    }
  }

  /// The lines of `metrics.jsonl` that are whole, read as `Metric`.
  public func metrics<Metric: Decodable>(of type: Metric.Type = Metric.self) -> [Metric] {
    let data = FileManager.default.contents(atPath: metricsFile.string) ?? Data()
    let decoder = JSONDecoder()
    return data.split(separator: UInt8(ascii: "\n")).compactMap {
      try? decoder.decode(Metric.self, from: Data($0))
    }
  }

  /// The records in a folder, oldest first, and the folders whose record is damaged.
  public static func list(
    in parent: FilePath
  ) -> (runs: [(record: RunRecord, manifest: RunManifest)], damaged: [any Error]) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: parent.string)) ?? []
    var runs: [(record: RunRecord, manifest: RunManifest)] = []
    var damaged: [any Error] = []
    for name in names.sorted() {
      guard let record = try? RunRecord.open(at: parent.appending(name)) else { continue }
      do {
        runs.append((record, try record.manifest()))
      } catch {
        damaged.append(error)
      }
    }
    runs.sort { $0.manifest.started < $1.manifest.started }
    return (runs, damaged)
  }

  private static func reason(of error: any Error) -> String {
    let cocoa = error as NSError
    let cause = cocoa.userInfo[NSUnderlyingErrorKey] as? NSError
    return (cause ?? cocoa).localizedDescription
  }
}
