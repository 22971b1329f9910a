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
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if nothing repeats the run bit for bit: if it says too little,
  ///   being of an earlier version; if there were several numbers, of a run that went on with others, or of processes on unlike machines; or if
  ///   GPUs computed, whose sums have no fixed order.
  public init(of manifest: RunManifest) throws {
    func unrepeatable(_ why: String) -> RetrievalError {
      RetrievalError(
        code: .invalidArgument,
        message: "the run cannot be repeated bit for bit: \(why)"
      )
    }
    func setting(_ key: String) throws -> String {
      guard let text = manifest.configuration[key] else {
        throw unrepeatable("its record does not say with which '\(key)' it was computed")
      }
      guard !text.contains(",") else {
        throw unrepeatable("it was computed with several '\(key)': \(text)")
      }
      return text
    }
    guard try setting(Self.deviceKey) == "cpu" else {
      throw unrepeatable("a GPU's sums have no fixed order")
    }
    guard let threads = Int(try setting(Self.threadsKey)), threads > 0,
      let processes = Int(try setting(Self.processesKey)), processes > 0
    else {
      throw RetrievalError(
        code: .malformedFile,
        message: "the record's '\(Self.threadsKey)' or '\(Self.processesKey)' is damaged"
      )
    }
    self.init(threads: threads, processes: processes)
  }

  /// Adds to what a record says that it is computed so from here on.
  func note(in manifest: inout RunManifest) {
    // What an earlier version has begun was computed nobody knows how.
    let isNew = manifest.trainings.allSatisfy(\.rounds.isEmpty)
    for (key, now) in settings {
      guard let before = manifest.configuration[key] ?? (isNew ? nil : "unknown") else {
        manifest.configuration[key] = now
        continue
      }
      if !before.split(separator: ", ").contains(Substring(now)) {
        manifest.configuration[key] = "\(before), \(now)"
      }
    }
  }
}
