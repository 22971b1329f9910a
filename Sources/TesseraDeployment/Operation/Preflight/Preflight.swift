public import Foundation
public import SystemPackage
public import TesseraProvisioning

/// Looks at all that a kit's program needs, before the first job does.
///
///     let report = await Preflight(kit: "kits/north") { kit, host, port in … }.run()
///     for finding in report.findings { print(finding.verdict.mark, finding.message) }
///
/// The kit's files, its certificate and the clock; names and ports of servers, and TLS with them; disk, folders and limits; the
/// participant's own settings and data; the database of two servers.
public struct Preflight: Sendable {
  /// What was found.
  public struct Report: Sendable {
    /// The kit, if it is whole.
    public var kit: StartupKit?
    /// All findings, in the order in which they were looked for.
    public var findings: [PreflightFinding]

    /// Whether nothing keeps jobs from running.
    public var isGood: Bool { !findings.contains { $0.verdict == .failure } }
  }

  /// Reads a participant's own settings: throws if they are wrong, and says what they come to.
  public typealias Reading<Value> = @Sendable (StartupKit) throws -> Value

  /// What a policy comes to, as far as a preflight cares.
  public struct Policy: Sendable {
    /// Whether jobs may start programs.
    public var allowsPrograms: Bool
    /// A policy.
    public init(allowsPrograms: Bool) { self.allowsPrograms = allowsPrograms }
  }

  let folder: FilePath
  let now: Date
  let database: String?
  let server: (host: String, port: Int)?
  let policy: Reading<Policy>
  let data: Reading<[String: FilePath]>
  let contact: @Sendable (StartupKit, _ host: String, _ port: Int) async -> ServerContact

  /// A preflight.
  ///
  /// - Parameters:
  ///   - folder: The kit.
  ///   - now: The time.
  ///   - database: That of two servers behind one address, as of ``PostgreSQLJobStore/init(at:epoch:)``; none if `nil`.
  ///   - server: Where the server is sought, in place of the addresses of the participants' list.
  ///   - policy: Reads `local/policy.yml`.
  ///   - data: Reads `local/data.yml`: the names of data, and where they are.
  ///   - contact: Tries to reach a server.
  public init(
    kit folder: FilePath,
    at now: Date = Date(),
    database: String? = nil,
    server: (host: String, port: Int)? = nil,
    policy: @escaping Reading<Policy> = { try Preflight.policy(of: $0) },
    data: @escaping Reading<[String: FilePath]> = Preflight.data(of:),
    contact: @escaping @Sendable (StartupKit, _ host: String, _ port: Int) async -> ServerContact
  ) {
    self.folder = folder
    self.now = now
    self.database = database
    self.server = server
    self.policy = policy
    self.data = data
    self.contact = contact
  }

  /// Looks.
  public func run() async -> Report {
    let kit: StartupKit
    do {
      kit = try StartupKit(contentsOf: folder, at: now)
    } catch {
      return Report(kit: nil, findings: [Self.finding(of: error)] + clock(of: nil))
    }
    var findings = [
      PreflightFinding(
        .kitWhole,
        "\(kit.participant.name), \(kit.participant.kind.rawValue) of \(kit.project): the kit is whole."
      )
    ]
    findings += certificates(of: kit)
    findings += keys(of: kit)
    findings += clock(of: kit)
    if kit.participant.kind == .server {
      findings += await port(of: kit)
      findings += sharedState(of: kit)
    } else {
      findings += await servers(of: kit)
    }
    if kit.participant.kind != .user {
      findings += machine(for: kit)
      findings += await settings(of: kit)
    }
    return Report(kit: kit, findings: findings)
  }

  /// A kit that was refused.
  private static func finding(of error: any Error) -> PreflightFinding {
    guard let error = error as? ProvisioningError else {
      return PreflightFinding(.kitUnreadable, "\(error)")
    }
    let code: PreflightFinding.Code =
      switch error.code {
      case .altered: .kitAltered
      case .untrusted: .kitUntrusted
      case .expired: .certificateOutOfTime
      case .revoked: .certificateRevoked
      default: .kitUnreadable
      }
    return PreflightFinding(code, "\(error.message).")
  }
}
