internal import ArgumentParser
internal import Foundation
internal import TesseraRetrieval

/// Whether several processes train one model: on this machine, which starts them, or on several, where people do.
struct ReplicaOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How many processes train together, each a part of a batch that it compares with all of it. They are started here, unless --rank is given.",
      valueName: "1...1024"
    )
  )
  var replicas: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Which of the processes this is, where each is started by hand; 0 records the run.",
      valueName: "0...1023"
    )
  )
  var rank: Int?

  @Option(
    help: ArgumentHelp(
      "Where process 0 is found by the others, where each is started by hand.",
      valueName: "host:port"
    )
  )
  var rendezvous: String?

  func validate() throws {
    guard let replicas else {
      if rank != nil || rendezvous != nil {
        throw ValidationError("'--rank' and '--rendezvous' are for several '--replicas'")
      }
      return
    }
    guard (1...1024).contains(replicas) else {
      throw ValidationError("The value '\(replicas)' is invalid for '--replicas <1...1024>'")
    }
    guard (rank == nil) == (rendezvous == nil) else {
      throw ValidationError("'--rank' and '--rendezvous' are given together")
    }
    if let rank, !(0..<replicas).contains(rank) {
      throw ValidationError("There is no process \(rank) of \(replicas): the first is 0")
    }
    if let rendezvous { _ = try Self.place(rendezvous) }
  }

  private static func place(_ text: String) throws -> (host: String, port: UInt16) {
    guard let colon = text.lastIndex(of: ":"), colon > text.startIndex,
      let port = UInt16(text[text.index(after: colon)...]), port > 0
    else {
      throw ValidationError("The value '\(text)' is invalid for '--rendezvous <host:port>'")
    }
    return (String(text[..<colon]), port)
  }

  /// The processes; `nil` if there is one.
  func processes() throws -> RetrievalReplicas? {
    guard let replicas, replicas > 1 else { return nil }
    guard let rank, let rendezvous else {
      return RetrievalReplicas(rank: 0, of: replicas, port: try Self.freePort())
    }
    let (host, port) = try Self.place(rendezvous)
    return RetrievalReplicas(rank: rank, of: replicas, host: host, port: port)
  }

  /// On how many threads a process computes: its share of the cores, where all are on one machine.
  func threads(_ given: Int?) -> Int? {
    guard given == nil, let replicas, replicas > 1, rank == nil else { return given }
    return max(1, ProcessInfo.processInfo.activeProcessorCount / replicas)
  }

  /// Starts the others on this machine, by the same command.
  ///
  /// - Parameters:
  ///   - first: This process.
  ///   - arguments: What else they are told.
  /// - Returns: Them; none if each is started by hand.
  /// - Throws: What keeps a program from being started.
  func start(besides first: RetrievalReplicas, telling arguments: [String] = []) throws -> [Process]
  {
    guard rank == nil else { return [] }
    return try (1..<first.size).map { rank in
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
      // What is given twice counts as given last.
      process.arguments =
        CommandLine.arguments.dropFirst() + [
          "--replicas", "\(first.size)", "--rank", "\(rank)",
          "--rendezvous", "\(first.host):\(first.port)",
        ] + arguments
      process.standardInput = FileHandle.nullDevice
      process.standardOutput = FileHandle.nullDevice
      try process.run()
      return process
    }
  }

  /// A port that nobody listens at.
  private static func freePort() throws -> UInt16 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
      }
    }
    guard isBound else { throw ValidationError("There is no free port on this machine") }
    return UInt16(bigEndian: address.sin_port)
  }
}
