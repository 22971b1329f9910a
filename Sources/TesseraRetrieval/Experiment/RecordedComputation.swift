public import TesseraCore
public import TesseraRun

/// Where a run is computed, as its record says it: the last bits of sums depend on that.
public struct RecordedComputation: Sendable, Hashable {
  /// How many threads each process computes on.
  public var threads: Int
  /// How many processes train together.
  public var processes: Int
  /// Whether GPUs compute, each process's own.
  public var usesGPU: Bool

  /// A computation.
  public init(threads: Int, processes: Int = 1, device: Device = .cpu) {
    self.threads = threads
    self.processes = processes
    usesGPU = device != .cpu
  }

  private static let threadsKey = "threads"
  private static let processesKey = "processes"
  private static let deviceKey = "device"

  private var settings: [String: String] {
    [
      Self.threadsKey: "\(threads)", Self.processesKey: "\(processes)",
      Self.deviceKey: usesGPU ? "cuda" : "cpu",
    ]
  }

  /// What a record says.
  ///
  /// - Parameter manifest: The record's.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if it says nothing, being of an earlier version, or if the run
  ///   went on with other numbers than it began with: nothing repeats that.
  public init(of manifest: RunManifest) throws {
    func setting(_ key: String) throws -> String {
      guard let text = manifest.configuration[key] else {
        throw RetrievalError(
          code: .invalidArgument,
          message:
            "the run does not say on how many threads it was computed: it cannot be repeated bit for bit"
        )
      }
      guard !text.contains(",") else {
        throw RetrievalError(
          code: .invalidArgument,
          message:
            "the run went on with other '\(key)' than it began with (\(text)): it cannot be repeated bit for bit"
        )
      }
      return text
    }
    let device = try setting(Self.deviceKey)
    guard let threads = Int(try setting(Self.threadsKey)), threads > 0,
      let processes = Int(try setting(Self.processesKey)), processes > 0,
      ["cpu", "cuda"].contains(device)
    else {
      throw RetrievalError(
        code: .malformedFile,
        message:
          "the record's '\(Self.threadsKey)', '\(Self.processesKey)' or '\(Self.deviceKey)' is damaged"
      )
    }
    self.threads = threads
    self.processes = processes
    usesGPU = device == "cuda"
  }

  /// Adds to what a record says that it is computed so from here on.
  func note(in manifest: inout RunManifest) {
    // What an earlier version has begun was computed nobody knows how.
    let isNew = manifest.trainings.allSatisfy(\.rounds.isEmpty)
    for (key, now) in settings {
      let before = isNew ? nil : manifest.configuration[key] ?? "unknown"
      if let before, before.split(separator: " ").last.map(String.init) != now {
        manifest.configuration[key] = "\(before), \(now)"
      } else if before == nil {
        manifest.configuration[key] = now
      }
    }
  }
}
