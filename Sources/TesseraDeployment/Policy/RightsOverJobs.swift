public import TesseraProvisioning

/// What a site's policy says of what the server holds of the site's jobs, as the site tells it: who may view, clone, manage and
/// download them.
///
/// The server's own policy decides first. A site restricts it where its file names a role and one of these rights; what its file
/// does not name, it leaves to the server.
public struct RightsOverJobs: Sendable, Hashable {
  private var conditions: [Participant.Role: [Right: [PolicyCondition]]] = [:]

  /// Those of a policy.
  public init(of policy: SitePolicy) {
    for (role, rights) in policy.rights {
      for (right, words) in rights { add(right, words, of: role) }
    }
  }

  private mutating func add(_ right: Right, _ words: [PolicyCondition], of role: Participant.Role) {
    guard right.isAboutSubmissions else { return }
    conditions[role, default: [:]][right] = Set(words).sorted { $0.rawValue < $1.rawValue }
  }

  /// Whether a site lets somebody do something with a job, where nobody is told why not.
  func allows(_ right: Right, by person: Person, on job: JobRecord) -> Bool {
    // Of a right over jobs, a condition is about the submitter's organisation, not the site's.
    conditions[person.role]?[right]?.contains { $0.holds(for: right, person, job, at: "") } ?? true
  }

  /// Whether a site lets somebody do something.
  ///
  /// - Parameters:
  ///   - right: What.
  ///   - person: Who, as the certificate says.
  ///   - job: The job that it is about; `nil` if it is about the site itself.
  ///   - site: The site whose rights these are.
  /// - Returns: The decision; a refusal names the person, the site and what would have to hold.
  public func decide(
    _ right: Right,
    by person: Person,
    on job: JobRecord?,
    at site: Participant
  ) -> PolicyDecision {
    guard let named = conditions[person.role]?[right],
      !named.contains(where: { $0.holds(for: right, person, job, at: site.organisation) })
    else { return .allowed }
    return SitePolicy(of: site, rights: [person.role: [right: named]])
      .decide(right, by: person, on: job)
  }
}

/// As JSON it is an object of roles, each an object of rights with a list of conditions, all by their names in `policy.yml`.
extension RightsOverJobs: Codable {
  /// Reads what ``encode(to:)`` has written; roles and rights of later versions are left out.
  public init(from decoder: any Decoder) throws {
    let roles = try decoder.singleValueContainer().decode([String: [String: [String]]].self)
    for role in Participant.Role.allCases {
      for (name, words) in roles[role.rawValue] ?? [:] {
        guard let right = Right(rawValue: name) else { continue }
        // A condition that only a later version knows holds for nobody here.
        add(right, words.map { PolicyCondition(rawValue: $0) ?? PolicyCondition.none }, of: role)
      }
    }
  }

  /// Writes roles, their rights and the conditions.
  public func encode(to encoder: any Encoder) throws {
    var roles: [String: [String: [String]]] = [:]
    for (role, rights) in conditions {
      for (right, words) in rights {
        roles[role.rawValue, default: [:]][right.rawValue] = words.map(\.rawValue)
      }
    }
    var container = encoder.singleValueContainer()
    try container.encode(roles)
  }
}
