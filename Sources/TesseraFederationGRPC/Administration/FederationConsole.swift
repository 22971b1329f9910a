public import Foundation
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import SwiftProtobuf
public import SystemPackage
public import TesseraDeployment
public import TesseraFederation
public import TesseraProvisioning

/// A user's connection to a federation's server.
///
///     try await FederationConsole.connect(StartupKit(contentsOf: "kits/ada")) { console in
///       let job = try await console.submit("jobs/fashion")
///       for try await news in console.watch(job.id) { print(news.event) }
///     }
public struct FederationConsole: Sendable {
  /// The user's kit.
  public let kit: StartupKit
  let client: Tessera_Federation_V1_Administration.Client<SecuredTransport>
  /// In place of the addresses and ports of the kit.
  let host: String?
  let port: Int?

  /// Connects, for as long as `body` takes.
  ///
  /// - Parameters:
  ///   - kit: The user's.
  ///   - host: The server's address; of those of the kit, the first that answers, if `nil`.
  ///   - port: The server's port; the kit's if `nil`.
  ///   - body: Asks.
  /// - Returns: What `body` returns.
  /// - Throws: ``DeploymentError`` with what the server refuses, or that there is none; `ProvisioningError` if the kit is no
  ///   user's, or cannot be used.
  public static func connect<Value: Sendable>(
    _ kit: StartupKit,
    host: String? = nil,
    port: Int? = nil,
    _ body: @escaping @Sendable (FederationConsole) async throws -> Value
  ) async throws -> Value {
    let servers = ServerTarget.all(of: kit, host: host, port: port)
    guard kit.participant.kind == .user, !servers.isEmpty else {
      throw ProvisioningError(
        code: .notAllowed,
        message: "\(kit.folder) is the kit of a \(kit.participant.kind.rawValue), not of a user"
      )
    }
    let revocations = kit.revocations
    let security = try MutualTLS(kit, expecting: [.server]) { revocations }
    let server = try await answering(of: servers, kit)
    let transport = try HTTP2ClientTransport.Posix.secured(
      by: security,
      host: server.host,
      port: server.port
    )
    do {
      return try await withGRPCClient(transport: transport) { client in
        try await body(
          FederationConsole(
            kit: kit,
            client: Tessera_Federation_V1_Administration.Client(wrapping: client),
            host: host,
            port: port
          )
        )
      }
    } catch let error as RPCError {
      throw DeploymentError(reporting: error, at: server)
    }
  }

  /// Where a server listens: of two, one stands by, and does not.
  ///
  /// - Returns: The first place if nobody answers, so that what is wrong there can be told.
  /// - Throws: `ProvisioningError` if the kit cannot be used.
  private static func answering(
    of places: [ServerTarget],
    _ kit: StartupKit
  ) async throws -> ServerTarget {
    guard places.count > 1 else { return places[0] }
    let probe = try ServerProbe(kit)
    for place in places {
      if case .welcomed = await probe.contact(host: place.host, port: place.port) { return place }
    }
    return places[0]
  }

  private var options: CallOptions {
    var options = CallOptions.defaults
    options.waitForReady = false
    options.maxResponseMessageBytes = Wire.messageLimit
    return options
  }

  // MARK: Jobs

  /// Hands in a job's folder, signed by the user.
  ///
  /// - Parameters:
  ///   - folder: Holds `job.yml`, which is checked before anything is sent.
  ///   - components: What it can name.
  /// - Returns: The job, which is on the server's disk, with what it waits for.
  /// - Throws: `ConfigurationError` with all that is wrong with `job.yml`; ``DeploymentError`` if the server refuses it.
  public func submit(
    _ folder: FilePath,
    components: JobComponents = .standard
  ) async throws -> ListedJob {
    try await submit(prepare(folder, components: components))
  }

  /// Signs a job's folder.
  ///
  /// - Parameters:
  ///   - folder: Holds `job.yml`, which is checked.
  ///   - components: What it can name.
  /// - Returns: What ``submit(_:)`` hands in; nothing is sent.
  /// - Throws: `ConfigurationError` with all that is wrong with `job.yml`; ``DeploymentError`` naming the file that cannot be part
  ///   of a job.
  public func prepare(
    _ folder: FilePath,
    components: JobComponents = .standard
  ) throws -> JobBundle {
    let job = try Job(deployedFrom: folder, components: components)
    return try JobBundle(of: folder, name: job.name, signedWith: kit)
  }

  /// Hands in a job that was signed.
  ///
  /// - Returns: The job, which is on the server's disk.
  /// - Throws: ``DeploymentError`` if the server refuses it.
  public func submit(_ bundle: JobBundle) async throws -> ListedJob {
    try await submit(bundle, cloning: nil)
  }

  /// Hands in a copy of a job, signed by the user.
  public func clone(_ id: String) async throws -> ListedJob {
    var reader = BundleReader()
    let parts = try await reporting {
      try await client.bundle(.with { $0.job = id }, options: options) { response in
        var parts: [Tessera_Federation_V1_BundlePart] = []
        for try await part in response.messages { parts.append(part) }
        return parts
      }
    }
    for part in parts { try reader.take(part) }
    let original = try reader.bundle().bundle
    _ = try original.verify(knowing: kit.participants, revocations: RevocationList())
    return try await submit(JobBundle(copyOf: original, signedWith: kit), cloning: id)
  }

  private func submit(_ bundle: JobBundle, cloning original: String?) async throws -> ListedJob {
    let document = try await reporting {
      try await client.submit(options: options) { writer in
        for part in bundle.parts(cloning: original) { try await writer.write(part) }
      }
    }
    return try JSONText.value(ListedJob.self, of: document.json)
  }

  /// The jobs that the user may see, the newest first.
  ///
  /// - Parameters:
  ///   - submitter: Of this person alone, if given.
  ///   - state: In this state alone, if given.
  ///   - limit: How many at most; as many as the server tells at once if `nil`.
  ///   - last: Those that are older than this one, to go on with a list.
  /// - Returns: The jobs.
  /// - Throws: ``DeploymentError`` if the server refuses it.
  public func jobs(
    submitter: String? = nil,
    state: JobState.Word? = nil,
    limit: Int? = nil,
    before last: String? = nil
  ) async throws -> [ListedJob] {
    try await ask(
      .with {
        $0.jobs = .with {
          $0.submitter = submitter ?? ""
          $0.state = state?.rawValue ?? ""
          $0.limit = Int32(clamping: limit ?? 0)
          $0.before = last ?? ""
        }
      }
    )
  }

  /// What is known of a job.
  public func show(_ id: String) async throws -> JobDetails {
    try await ask(.with { $0.show = .with { $0.job = id } })
  }

  /// Ends a job; it is over when this returns.
  @discardableResult
  public func abort(_ id: String) async throws -> JobRecord {
    try await ask(.with { $0.abort = .with { $0.job = id } })
  }

  /// Removes a job that is over, with all that it has made.
  public func delete(_ id: String) async throws {
    let _: [String: String] = try await ask(.with { $0.delete = .with { $0.job = id } })
  }

  /// The files that a job has made, with their digests.
  public func files(of id: String) async throws -> [JobFileEntry] {
    try await ask(.with { $0.files = .with { $0.job = id } })
  }

  /// The bytes of a file that a job has made; ``download(_:into:progress:)`` fetches files, and verifies them.
  ///
  /// - Parameters:
  ///   - path: As ``files(of:)`` has it.
  ///   - id: The job's.
  ///   - offset: Where to begin.
  ///   - length: How many bytes; all that there are if `nil`.
  ///   - write: Takes the bytes, in order.
  /// - Throws: What `write` throws; ``DeploymentError`` if the server refuses it.
  public func download(
    _ path: String,
    of id: String,
    from offset: Int = 0,
    length: Int? = nil,
    _ write: @escaping @Sendable (Data) throws -> Void
  ) async throws {
    try await reporting {
      try await client.download(
        .with {
          $0.job = id
          $0.path = path
          $0.offset = Int64(offset)
          $0.length = Int64(length ?? 0)
        },
        options: options
      ) { response in
        for try await part in response.messages { try write(part.bytes) }
      }
    }
  }

  // MARK: Sites

  /// All sites of the federation.
  public func sites() async throws -> [SiteStatus] {
    try await ask(.with { $0.sites = .init() })
  }

  /// A site, which is asked anew what it is.
  public func site(_ name: String) async throws -> SiteStatus {
    try await ask(.with { $0.siteInfo = .with { $0.site = name } })
  }

  /// Says whether a site is given new jobs.
  public func set(_ site: String, isDisabled: Bool) async throws {
    try await operate(isDisabled ? .disable : .enable, site)
  }

  /// Ends a site's connection, and gives it no new jobs.
  public func remove(_ site: String) async throws { try await operate(.remove, site) }

  /// Has a site, or the server if none is named, do something; for a site, the user signs it.
  public func operate(_ operation: SiteOperation, at site: String? = nil) async throws {
    let signed = try site.map { try SignedOperation(operation, at: $0, signedWith: kit) }
    let kind: Tessera_Federation_V1_Operation.Kind =
      switch operation {
      case .restart: .restart
      case .shutdown: .shutdown
      case .logLevel: .logLevel
      }
    try await operate(kind, site ?? "", operation.levelName ?? "", signed)
  }

  private func operate(
    _ kind: Tessera_Federation_V1_Operation.Kind,
    _ site: String,
    _ level: String = "",
    _ signed: SignedOperation? = nil
  ) async throws {
    let _: [String: String] = try await ask(
      .with {
        $0.operation = .with {
          $0.kind = kind
          $0.site = site
          $0.level = level
          $0.order = signed?.text ?? Data()
          $0.signature = signed?.signature ?? Data()
        }
      }
    )
  }

  // MARK: The wire

  private func ask<Value: Decodable>(
    _ request: Tessera_Federation_V1_Request
  ) async throws -> Value {
    let document = try await reporting { try await client.ask(request, options: options) }
    return try JSONText.value(Value.self, of: document.json)
  }

  /// Follows something, document by document.
  ///
  /// - Throws: `RPCError` as the wire has it; what `observe` throws.
  func follow(
    _ request: Tessera_Federation_V1_Request,
    _ observe: @escaping @Sendable (String) async throws -> Void
  ) async throws {
    try await client.follow(request, options: options) { response in
      for try await document in response.messages { try await observe(document.json) }
    }
  }

  /// Errors of the wire as those of the deployment.
  func reporting<Value>(_ body: () async throws -> Value) async throws -> Value {
    do { return try await body() } catch let error as RPCError {
      throw DeploymentError(reporting: error)
    }
  }
}
