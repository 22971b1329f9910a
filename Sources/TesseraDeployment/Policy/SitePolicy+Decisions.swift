public import TesseraProvisioning

extension SitePolicy {
  /// Whether somebody may do something here.
  ///
  /// - Parameters:
  ///   - right: What.
  ///   - person: Who, as the certificate says.
  ///   - job: The job that it is about; `nil` if it is about none, or about all.
  ///   - site: The site that it is about, where a server decides; `nil` if it is about the owner of the policy itself.
  /// - Returns: The decision; a refusal names the person, the place and what would have to hold.
  public func decide(
    _ right: Right,
    by person: Person,
    on job: JobRecord? = nil,
    at site: Participant? = nil
  ) -> PolicyDecision {
    if allows(right, by: person, on: job, at: site) { return .allowed }
    let conditions = rights[person.role]?[right] ?? [PolicyCondition.none]
    let place = site ?? owner
    let wish = right.words(on: job?.id, at: place.name)
    let usable = conditions.filter { $0 != PolicyCondition.none }
      .map { words(for: $0, right, at: place) }
    let rule =
      usable.isEmpty
      ? "allows that to no \(person.role.rawValue)"
      : "allows that to a \(person.role.rawValue) \(usable.joined(separator: ", or "))"
    return .refused(
      reason: """
        \(person.name) (\(person.role.rawValue), \(person.organisation)) may not \(wish): the policy of \
        \(owner.name) \(rule)
        """
    )
  }

  /// Whether somebody may do something here, as ``decide(_:by:on:at:)``, where nobody is told why not.
  func allows(
    _ right: Right,
    by person: Person,
    on job: JobRecord? = nil,
    at site: Participant? = nil
  ) -> Bool {
    (rights[person.role]?[right] ?? []).contains {
      $0.holds(for: right, person, job, at: (site ?? owner).organisation)
    }
  }

  private func words(
    for condition: PolicyCondition,
    _ right: Right,
    at place: Participant
  ) -> String {
    switch condition {
    case .any, .none: condition.rawValue
    case .ownSubmission: "for jobs that the person submitted"
    case .ownOrganisation:
      right.isAboutSubmissions
        ? "for jobs of the person's own organisation" : "of \(place.organisation)"
    }
  }
}

extension PolicyCondition {
  /// Whether it holds for somebody.
  ///
  /// - Parameters:
  ///   - right: What is wanted.
  ///   - person: By whom.
  ///   - job: The job that it is about; `nil` if it is about none, or about all.
  ///   - organisation: That of the place that it is about.
  /// - Returns: Whether it does.
  func holds(
    for right: Right,
    _ person: Person,
    _ job: JobRecord?,
    at organisation: String
  ) -> Bool {
    switch self {
    case .any: true
    case .none: false
    case .ownOrganisation:
      person.organisation
        == (right.isAboutSubmissions ? job?.submitter.organisation : nil) ?? organisation
    case .ownSubmission: job?.submitter.name == person.name
    }
  }
}
