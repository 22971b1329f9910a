internal import Foundation
internal import SwiftProtobuf
internal import SystemPackage
internal import TesseraCore
internal import TesseraDeployment
internal import TesseraFederation

extension TaskID {
  /// Reads a task's name.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/protocolViolation``.
  init(_ proto: Tessera_Federation_V1_TaskID) throws {
    // What prepares a job has numbers below 1.
    guard let step = Int(exactly: proto.step), step > -1000 else {
      throw FederationError.wire("a task has no such number")
    }
    self.init(job: proto.job, step: step)
  }

  var proto: Tessera_Federation_V1_TaskID {
    .with {
      $0.job = job
      $0.step = Int64(step)
    }
  }
}

extension SiteMessage {
  /// Reads what a site says.
  ///
  /// - Throws: ``FederationError`` if it cannot be.
  init(
    _ proto: Tessera_Federation_V1_FromSite,
    limits: ExchangeLimits,
    spool: FilePath? = nil
  ) throws {
    switch proto.event {
    case .greeting(let greeting):
      try Wire.require(
        site: (greeting.version, greeting.program),
        server: (Wire.version, ProgramVersion.current)
      )
      guard greeting.open.count <= limits.names, greeting.jobs.count <= Wire.jobLimit,
        greeting.jobs.allSatisfy({ $0.utf8.count <= 100 })
      else {
        throw FederationError.wire("too many tasks")
      }
      self = .greeting(open: try greeting.open.map(TaskID.init), jobs: greeting.jobs)
    case .progress(let progress):
      let id = try TaskID(progress.id)
      guard !progress.metrics.isEmpty else {
        self = .progress(id)
        return
      }
      let step = progress.hasStep ? Int(exactly: progress.step) : nil
      self = .measured(id, TaskMeasurements(progress.metrics, step: step))
    case .answer(let answer):
      let id = try TaskID(answer.id)
      do {
        self = .answer(id, try IncomingParcel(answer.data, limits: limits, spool: spool))
      } catch let error as FederationError {
        // As good as none. Closing the connection would bring it again, for ever.
        self = .failure(id, error)
      }
    case .failure(let failure):
      let error = FederationError(
        code: FederationError.Code(name: failure.code) ?? .rejectedUpdate,
        message: String(failure.reason.prefix(2000))
      )
      self = .failure(try TaskID(failure.id), error)
    case nil: throw FederationError.wire("an empty message")
    }
  }

  func proto() throws -> Tessera_Federation_V1_FromSite {
    try .with {
      switch self {
      case .greeting(let open, let jobs):
        $0.greeting = .with {
          $0.version = Wire.version
          $0.program = ProgramVersion.current
          $0.open = open.map(\.proto)
          $0.jobs = Array(jobs.prefix(Wire.jobLimit))
        }
      case .progress(let id): $0.progress.id = id.proto
      case .measured(let id, let measurements):
        $0.progress = .with {
          $0.id = id.proto
          $0.metrics = measurements.metrics
          if let step = measurements.step { $0.step = Int64(step) }
        }
      case .failure(let id, let error):
        $0.failure = .with {
          $0.id = id.proto
          $0.code = error.code.description
          $0.reason = error.message
        }
      case .answer: throw FederationError.wire("an answer is announced with its content")
      }
    }
  }

  /// The announcement of an answer.
  static func announcement(
    _ id: TaskID,
    _ parcel: OutgoingParcel
  ) throws -> Tessera_Federation_V1_FromSite {
    let data = try parcel.proto()
    return .with {
      $0.answer = .with {
        $0.id = id.proto
        $0.data = data
      }
    }
  }
}

extension ServerMessage {
  /// Reads what a server says.
  ///
  /// - Throws: ``FederationError`` if it cannot be.
  init(
    _ proto: Tessera_Federation_V1_FromServer,
    limits: ExchangeLimits,
    spool: FilePath? = nil
  ) throws {
    switch proto.event {
    case .welcome(let welcome):
      try Wire.require(
        site: (Wire.version, ProgramVersion.current),
        server: (welcome.version, welcome.program)
      )
      guard welcome.patience.isFinite, (0.001...1e9).contains(welcome.patience) else {
        throw FederationError.wire("a patience that is no time")
      }
      self = .welcome(patience: .seconds(welcome.patience))
    case .task(let task):
      let content: AnnouncedTask.Content
      do {
        content = .incoming(try IncomingParcel(task.data, limits: limits, spool: spool))
      } catch let error as FederationError {
        content = .unusable(error)
      }
      let id = try TaskID(task.id)
      var announced = AnnouncedTask(
        name: TaskName(task.name),
        round: try Int(wire: task.round),
        site: Site(
          index: try Int(wire: task.site.index),
          name: task.site.name,
          exampleCount: try Int(wire: task.site.examples)
        ),
        key: RandomKey(value: task.key),
        content: content
      )
      let first = try Int(wire: task.unusedSince)
      guard first < max(id.step, 1) else {
        throw FederationError.wire("a task whose answer is said to be unused already")
      }
      announced.unusedSince = first > 0 ? first : nil
      self = .task(id, announced)
    case .withdrawal(let withdrawal):
      self = .withdrawal(try TaskID(withdrawal.id), reason: String(withdrawal.reason.prefix(2000)))
    case .wanted(let wanted):
      self = .wanted(try TaskID(wanted.id), try wanted.chunks.map(Int.init(wire:)))
    case .receipt(let receipt): self = .receipt(try TaskID(receipt.id))
    case .farewell(let farewell):
      self = .farewell(job: farewell.job, isAborted: farewell.isAborted)
    case nil: throw FederationError.wire("an empty message")
    }
  }

  func proto() throws -> Tessera_Federation_V1_FromServer {
    try .with {
      switch self {
      case .welcome(let patience):
        $0.welcome = .with {
          $0.version = Wire.version
          $0.program = ProgramVersion.current
          $0.patience = patience / .seconds(1)
          $0.time = Date.now.millisecondsSince1970
        }
      case .task(let id, let task): $0.task = try task.proto(id)
      case .withdrawal(let id, let reason):
        $0.withdrawal = .with {
          $0.id = id.proto
          $0.reason = reason
        }
      case .wanted(let id, let chunks):
        $0.wanted = .with {
          $0.id = id.proto
          $0.chunks = chunks.map(Int64.init)
        }
      case .receipt(let id): $0.receipt.id = id.proto
      case .farewell(let job, let isAborted):
        $0.farewell = .with {
          $0.job = job
          $0.isAborted = isAborted
        }
      }
    }
  }
}

extension AnnouncedTask {
  fileprivate func proto(_ id: TaskID) throws -> Tessera_Federation_V1_Task {
    guard case .outgoing(let parcel) = content else {
      throw FederationError.wire("a task is sent by who has its content")
    }
    let data = try parcel.proto()
    return .with {
      $0.id = id.proto
      $0.name = name.description
      $0.round = Int64(round)
      $0.site = .with {
        $0.index = Int64(site.index)
        $0.name = site.name
        $0.examples = Int64(site.exampleCount)
      }
      $0.key = key.value
      $0.unusedSince = Int64(unusedSince ?? 0)
      $0.data = data
    }
  }
}

/// What both sides have to agree on.
enum Wire {
  /// The version of the protocol.
  static let version = "1"

  /// Refuses to go on with who speaks another version of the protocol.
  ///
  /// - Parameters:
  ///   - site: The protocol's version and the program's, of the site.
  ///   - server: The same of the server.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/protocolViolation``, which says who is older.
  static func require(
    site: (version: String, program: String),
    server: (version: String, program: String)
  ) throws {
    guard site.version != server.version else { return }
    func words(_ side: (version: String, program: String)) -> String {
      // What has come from the other side is shown as far as it can be a version.
      let version = side.version.prefix(20).filter {
        $0.isASCII && ($0.isLetter || $0.isNumber || $0 == ".")
      }
      let program = side.program.prefix(40).filter {
        $0.isASCII && ($0.isLetter || $0.isNumber || ".-+".contains($0))
      }
      return
        "version \(version.isEmpty ? "none" : version)\(program.isEmpty ? "" : " (Tessera \(program))")"
    }
    let isSiteOlder = (Int(site.version) ?? 0) < (Int(server.version) ?? 0)
    throw FederationError.wire(
      """
      the site speaks the protocol in \(words(site)), the server in \(words(server)): the \(isSiteOlder ? "site" : "server") has \
      the older program, which has to be updated
      """
    )
  }
  /// The largest message, in bytes: an announcement of a very large model, or a chunk.
  static let messageLimit = 16 << 20
  /// How many jobs a site tells of when it comes; of more, the rest the next time.
  static let jobLimit = 1000
  /// How many calls a connection may have open at the same time.
  static let streamLimit = 32
  /// How many bytes may be on their way before whoever receives them has asked for more.
  ///
  /// Each connection may hold several times as much in memory. It limits what one connection can carry: 80 MiB/s where an answer
  /// takes 50 ms, more than a line of 500 Mb/s has.
  static let windowSize = 4 << 20
  /// The largest frame: a chunk of the usual size travels in two.
  static let frameSize = 1 << 20
}
