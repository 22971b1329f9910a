internal import Foundation
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import SwiftProtobuf
internal import SystemPackage
internal import TesseraDeployment
internal import TesseraFederation
internal import TesseraProvisioning

/// The server's end of what users ask.
struct AdministrationService: Tessera_Federation_V1_Administration.SimpleServiceProtocol {
  typealias Document = Tessera_Federation_V1_Document

  let jobs: JobService
  let security: MutualTLS
  /// Is told who is not answered.
  let observe: @Sendable (ServerConnectionEvent) -> Void
  /// Does what is asked of the server itself.
  let operate: @Sendable (SiteOperation) -> Void

  /// Who asks, by the certificate.
  private func person(_ context: ServerContext) throws -> Person {
    guard
      let certificate = (context.transportSpecific as? HTTP2ServerTransport.Posix.Context)?
        .peerCertificate,
      let participant = try? security.certified(certificate), participant.kind == .user,
      let role = participant.role
    else {
      observe(
        .refused(
          peer: WorkService.address(context),
          reason: "its certificate is not that of a user, and it asks as one"
        )
      )
      throw RPCError(
        code: .permissionDenied,
        message: "only users of this federation are answered here"
      )
    }
    return Person(
      name: participant.name,
      organisation: participant.organisation,
      role: role
    )
  }

  func submit(
    request: RPCAsyncSequence<Tessera_Federation_V1_BundlePart, any Error>,
    context: ServerContext
  ) async throws -> Document {
    let person = try person(context)
    return try await answering {
      // Before anything is read: it is kept in memory until it is whole.
      try jobs.requireHandingIn(by: person)
      var reader = BundleReader()
      for try await part in request { try reader.take(part) }
      let (bundle, original) = try reader.bundle()
      return try await jobs.submit(bundle, by: person, cloning: original)
    }
  }

  func ask(
    request: Tessera_Federation_V1_Request,
    context: ServerContext
  ) async throws -> Document {
    let person = try person(context)
    return try await answering { () async throws -> any Encodable & Sendable in
      switch request.request {
      case .jobs(let wanted):
        return try await jobs.jobs(
          for: person,
          of: wanted.submitter.isEmpty ? nil : wanted.submitter,
          in: wanted.state.isEmpty ? nil : wanted.state,
          limit: wanted.limit > 0 ? Int(wanted.limit) : JobService.largestPage,
          before: wanted.before.isEmpty ? nil : wanted.before
        )
      case .show(let name): return try await jobs.show(name.job, for: person)
      case .files(let name): return try await jobs.results(of: name.job, for: person).files()
      case .abort(let name): return try await jobs.abort(name.job, by: person)
      case .delete(let name):
        try await jobs.delete(name.job, by: person)
        return ["deleted": name.job]
      case .sites: return try await jobs.sites(for: person)
      case .siteInfo(let name): return try await jobs.site(name.site, for: person)
      case .operation(let operation): return try await carryOut(operation, by: person)
      case .watch, .log:
        throw DeploymentError(code: .invalidArgument, message: "that is followed, not asked for")
      case nil:
        throw DeploymentError(
          code: .invalidArgument,
          message: "the server does not know what is asked for"
        )
      }
    }
  }

  private func carryOut(
    _ operation: Tessera_Federation_V1_Operation,
    by person: Person
  ) async throws -> [String: String] {
    let site = operation.site
    let wanted: SiteOperation?
    switch operation.kind {
    case .disable, .enable:
      try await jobs.set(site, isDisabled: operation.kind == .disable, by: person)
      return [operation.kind == .disable ? "disabled" : "enabled": site]
    case .remove:
      try await jobs.remove(site, by: person)
      return ["removed": site]
    case .restart: wanted = .restart
    case .shutdown: wanted = .shutdown
    case .logLevel: wanted = SiteOperation(name: "log-level", level: operation.level)
    case .nothing, .UNRECOGNIZED: wanted = nil
    }
    guard let wanted else {
      throw DeploymentError(
        code: .invalidArgument,
        message: "the server does not know that operation"
      )
    }
    if site.isEmpty {
      try await jobs.requireOperation(wanted, by: person)
      operate(wanted)
    } else {
      let signed = try SignedOperation(text: operation.order, signature: operation.signature)
      guard signed.operation == wanted, signed.site == site else {
        throw DeploymentError(
          code: .invalidArgument,
          message: "what is asked for is not what was signed"
        )
      }
      try await jobs.operate(signed, by: person)
    }
    return ["done": wanted.name, "at": site.isEmpty ? jobs.serverName : site]
  }

  func follow(
    request: Tessera_Federation_V1_Request,
    response: RPCWriter<Document>,
    context: ServerContext
  ) async throws {
    let person = try person(context)
    try await refusing {
      switch request.request {
      case .watch(let name):
        let events = try await jobs.watch(name.job, for: person)
        try await untilItLeaves(context) {
          for await event in events {
            try jobs.requireView(after: event, for: person)
            try await response.write(.with { $0.json = try JSONText.of(event) })
          }
        }
      case .log(let wanted):
        let log = try await jobs.log(of: wanted.job, following: wanted.follow, for: person)
        try await untilItLeaves(context) {
          for try await lines in log {
            for line in lines { try await response.write(.with { $0.json = line }) }
          }
        }
      default:
        throw DeploymentError(code: .invalidArgument, message: "that is asked for, not followed")
      }
    }
  }

  /// Carries out `body` until it is done, or the one who asked is gone.
  private func untilItLeaves(
    _ context: ServerContext,
    _ body: @escaping @Sendable () async throws -> Void
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await body() }
      group.addTask { try await context.cancellation.cancelled }
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  func bundle(
    request: Tessera_Federation_V1_JobName,
    response: RPCWriter<Tessera_Federation_V1_BundlePart>,
    context: ServerContext
  ) async throws {
    let person = try person(context)
    try await refusing {
      for part in try await jobs.bundle(of: request.job, for: person).parts() {
        try await response.write(part)
      }
    }
  }

  func download(
    request: Tessera_Federation_V1_FileName,
    response: RPCWriter<Tessera_Federation_V1_FilePart>,
    context: ServerContext
  ) async throws {
    let person = try person(context)
    try await refusing {
      let place = try await jobs.file(
        request.path,
        of: request.job,
        for: person,
        isRest: request.offset > 0
      )
      let file = try FileDescriptor.open(place, .readOnly, options: [.closeOnExec])
      defer { try? file.close() }
      guard request.offset >= 0, request.length >= 0 else {
        throw DeploymentError(code: .invalidArgument, message: "a file has no such part")
      }
      var offset = request.offset
      var left = request.length == 0 ? Int64.max : request.length
      var buffer = [UInt8](repeating: 0, count: BundlePart.chunkSize)
      while true {
        let count = try buffer.withUnsafeMutableBytes {
          try file.read(fromAbsoluteOffset: offset, into: $0)
        }
        guard count > 0, left > 0 else { break }
        let bytes = Data(buffer[..<min(count, Int(clamping: left))])
        try await response.write(
          .with {
            $0.path = request.path
            $0.bytes = bytes
          }
        )
        offset += Int64(bytes.count)
        left -= Int64(bytes.count)
      }
    }
  }

  /// What is answered, as JSON.
  private func answering(
    _ body: () async throws -> any Encodable & Sendable
  ) async throws -> Document {
    try await refusing {
      let answer = try await body()
      let json = try JSONText.of(answer)
      return .with { $0.json = json }
    }
  }

  /// Errors of the deployment as the wire has them.
  private func refusing<Value>(_ body: () async throws -> Value) async throws -> Value {
    do { return try await body() } catch { throw RPCError(refusal: error) }
  }
}
