internal import TesseraProvisioning

extension SitePolicy {
  /// Whether somebody may do something here.
  ///
  /// - Parameters:
  ///   - right: What.
  ///   - person: Who, as the certificate says.
  ///   - job: The job that it is about; `nil` if it is about none, or about all.
  /// - Returns: The decision; a refusal names the person, the place and what would have to hold.
  public func decide(
    _ right: Right,
    by person: Submitter,
    on job: JobRecord? = nil
  ) -> PolicyDecision {
    let conditions = rights[person.role]?[right] ?? [PolicyCondition.none]
    if conditions.contains(where: { holds($0, for: right, person, job) }) { return .allowed }
    let wish = right.words(on: job?.id, at: owner.name)
    let usable = conditions.filter { $0 != PolicyCondition.none }.map { words(for: $0, right) }
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

  private func holds(
    _ condition: PolicyCondition,
    for right: Right,
    _ person: Submitter,
    _ job: JobRecord?
  ) -> Bool {
    switch condition {
    case .any: true
    case .none: false
    case .ownOrganisation: person.organisation == organisation(for: right, job)
    case .ownSubmission: job?.submitter.name == person.name
    }
  }

  private func organisation(for right: Right, _ job: JobRecord?) -> String {
    guard right.isAboutSubmissions, let job else { return owner.organisation }
    return job.submitter.organisation
  }

  private func words(for condition: PolicyCondition, _ right: Right) -> String {
    switch condition {
    case .any, .none: condition.rawValue
    case .ownSubmission: "for jobs that the person submitted"
    case .ownOrganisation:
      right.isAboutSubmissions
        ? "for jobs of the person's own organisation" : "of \(owner.organisation)"
    }
  }
}
