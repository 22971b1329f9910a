public import SystemPackage
internal import TesseraConfiguration
public import TesseraFederation
public import TesseraProvisioning

/// What a participant's `local/policy.yml` says: who may do what there, and what holds for all jobs.
///
///     rights:
///       lead: {submit: any, manage: own-submission, view: [own-organisation, own-submission]}
///     filters:
///       - {type: clip-norm, norm: 1}
///       - {type: gaussian-noise, noise_multiplier: 1.1}
///     privacy: {epsilon: 8, delta: 1e-6}
///
/// What it does not allow is refused: a role that it does not name, and a right that the role's line does not name.
public struct SitePolicy: Sendable {
  /// Who decides by it.
  public var owner: Participant
  /// Under which conditions, one of which must hold, a role has a right.
  public var rights: [Participant.Role: [Right: [PolicyCondition]]]
  /// The owner's own filters, which no job can remove; see `SiteFilters.followed(by:)`.
  public var filters: SiteFilters
  /// How much privacy all jobs together may spend at the site; nothing is counted if `nil`.
  public var budget: PrivacyBudget?
  /// What the site demands of secure aggregation, whatever a job says.
  public var secureAggregation: SecureAggregationPolicy

  /// A policy.
  public init(
    of owner: Participant,
    rights: [Participant.Role: [Right: [PolicyCondition]]],
    filters: SiteFilters = SiteFilters(),
    budget: PrivacyBudget? = nil,
    secureAggregation: SecureAggregationPolicy = SecureAggregationPolicy()
  ) {
    self.owner = owner
    self.rights = rights
    self.filters = filters
    self.budget = budget
    self.secureAggregation = secureAggregation
  }

  /// Reads the policy of a kit's participant.
  ///
  /// - Throws: As ``init(contentsOf:of:components:)``.
  public init(of kit: StartupKit, components: JobComponents = .standard) throws {
    try self.init(
      contentsOf: kit.localFolder.appending("policy.yml"),
      of: kit.participant,
      components: components
    )
  }

  /// Reads a policy.
  ///
  /// - Parameters:
  ///   - path: The file. Without one nobody may do anything: that it is missing is an error.
  ///   - owner: Who decides by it.
  ///   - components: The filters that it can name.
  /// - Throws: `ConfigurationError` with file, line and the nearest known name of everything that is wrong.
  public init(
    contentsOf path: FilePath,
    of owner: Participant,
    components: JobComponents = .standard
  ) throws {
    self = try ConfigurationFile(contentsOf: path).decode { file in
      try SitePolicy(
        of: owner,
        rights: file.required("rights", .rights, help: "who may do what"),
        filters: file.optional(
          "filters",
          .filters(of: components),
          default: SiteFilters(),
          help: "what all answers pass, or tasks and answers, whatever a job says"
        ),
        budget: file.optional("privacy", .budget, help: "what all jobs together may spend"),
        secureAggregation: file.section(
          "secure_aggregation",
          help: "what is demanded of secure aggregation",
          SecureAggregationPolicy.init
        )
      )
    }
  }
}

extension Schema where Value == [Participant.Role: [Right: [PolicyCondition]]] {
  /// Roles, rights and conditions.
  fileprivate static var rights: Schema {
    .mapping { roles in
      var all: Value = [:]
      for role in Participant.Role.allCases {
        all[role] = try roles.optional(role.rawValue, .rightsOfRole)
      }
      return all
    }
  }
}

extension Schema where Value == [Right: [PolicyCondition]] {
  fileprivate static var rightsOfRole: Schema {
    .mapping { role in
      var rights: Value = [:]
      for right in Right.allCases {
        rights[right] = try role.optional(
          right.rawValue,
          .conditions(of: right),
          help: right.meaning
        )
      }
      return rights
    }
  }
}

extension Schema where Value == [PolicyCondition] {
  /// A condition, or several of which one must hold.
  fileprivate static func conditions(of right: Right) -> Schema {
    let one = Schema<PolicyCondition>.choice.map { condition in
      guard condition != .ownSubmission || right.isAboutSubmissions else {
        throw DeploymentError(
          code: .invalidArgument,
          message:
            "'own-submission' never holds for '\(right.rawValue)': there is no job yet, or none"
        )
      }
      return condition
    }
    return .either(
      Schema<[PolicyCondition]>.list(of: one, count: 1...).map { conditions in
        guard conditions.count == 1 || !conditions.contains(PolicyCondition.none) else {
          throw DeploymentError(
            code: .invalidArgument,
            message: "'none' cannot stand beside other conditions: of several, one must hold"
          )
        }
        return conditions
      },
      one.map { [$0] }
    )
  }
}

extension Schema where Value == SiteFilters {
  /// A list, of filters of answers, or a mapping of lists.
  fileprivate static func filters(of components: JobComponents) -> Schema {
    let filters = Schema<[any Filter]>.list(of: .component(from: components.filtersOfTasks))
    return .either(
      filters.map { SiteFilters(results: $0) },
      .mapping { sides in
        try SiteFilters(
          tasks: sides.optional("tasks", filters, default: [], help: "for tasks, in order"),
          results: sides.optional("results", filters, default: [], help: "for answers, in order")
        )
      }
    )
  }
}

extension Schema where Value == PrivacyBudget {
  /// An ε, a δ, and who counts.
  fileprivate static var budget: Schema {
    .mapping { settings in
      try PrivacyBudget(
        epsilon: settings.required("epsilon", .number(above: 0), help: "the largest ε allowed"),
        delta: settings.required("delta", .number(in: 0..<1), help: "the δ at which ε is taken"),
        accountant: settings.optional("accountant", .choice, default: .rdp, help: "who counts")
      )
    }
  }
}
