internal import Crypto
internal import Foundation
internal import SystemPackage
internal import TesseraFederation
internal import TesseraProvisioning
internal import TesseraRun

/// One job while its server carries it out: gives it to the sites, and runs its rounds.
struct ServedJob: Sendable {
  private let id: String
  private let service: JobService
  private let transfers: JobTransfers

  init(_ id: String, of service: JobService) {
    transfers = JobTransfers(of: id, for: service.watchers, observe: service.observe)
    self.id = id
    self.service = service
  }

  /// Carries the job out, from where an earlier process has left it.
  ///
  /// - Throws: What keeps it from going on; `CancellationError` if it was ended.
  func run() async throws {
    guard let record = try service.store.job(id) else {
      throw DeploymentError(code: .notFound, message: "there is no job \(id)")
    }
    try await service.bring(id)
    let bundle = try JobBundle(contentsOf: service.bundleFolder(of: id))
    let job = try Job(
      receivedIn: service.bundleFolder(of: id),
      components: service.settings.components,
      by: "the server's"
    )
    let roster: JobRoster
    if record.state == .running, let kept = try JSONFile.read(JobRoster.self, from: rosterFile) {
      roster = kept
    } else {
      roster = try await prepare(job, bundle, record)
    }
    // Who has the job's folder, and takes no part in it.
    let without = Set(record.sites.map(\.name)).subtracting(roster.sites.map(\.name))
    service.network.end(id, at: without.sorted(), isAborted: false)
    try await runRounds(of: job, from: bundle, with: roster)
  }

  private var rosterFile: FilePath {
    service.folder(of: id).appending(JobService.rosterName)
  }

  // MARK: Giving the job to sites

  private func prepare(
    _ job: Job,
    _ bundle: JobBundle,
    _ record: JobRecord
  ) async throws -> JobRoster {
    let patience = job.quorum.patience ?? service.settings.patience
    let sites = record.sites.enumerated().map {
      Site(index: $0, name: $1.name, exampleCount: 1)
    }
    let answers = try await service.network.ask(
      .deploy,
      step: -1,
      data: bundle.exchange(),
      of: id,
      sites,
      patience: patience,
      observer: transfers
    )
    var members: [JobRoster.Member] = []
    var rights: [String: RightsOverJobs] = [:]
    var declined: [String: String] = [:]
    for site in sites {
      do {
        guard let answer = answers[site.index] else { continue }
        let headers = try answer.get().headers
        let offer = try JSONText.value(SiteOffer.self, of: headers["offer"] ?? "")
        try offer.check()
        rights[site.name] = try headers["rights"].map {
          try JSONText.value(RightsOverJobs.self, of: $0)
        }
        // Of images of another kind no model can be made with the others.
        if let first = members.first, first.offer.images != offer.images {
          _ = try JobRoster(members: [first, .init(name: site.name, offer: offer)]).images()
        }
        try transfers.accepted(step: -1, site: site.name, weight: 0)
        members.append(JobRoster.Member(name: site.name, offer: offer))
      } catch {
        try transfers.refused(step: -1, site: site.name, because: "\(error)")
        declined[site.name] = "\(error)"
      }
    }
    await service.note(declined, of: id)
    // What they say holds whatever becomes of the job. In one change: each is waited for, by the store and by those who watch.
    try service.change(id) {
      $0.siteRights = rights
      $0.declined.merge(declined) { $1 }
      // In an earlier try they may have declined.
      for member in members { $0.declined[member.name] = nil }
    }
    return try await begin(members, record, patience)
  }

  /// Tells the sites who takes part; without those that cannot begin, if the others are enough.
  private func begin(
    _ offered: [JobRoster.Member],
    _ record: JobRecord,
    _ patience: Duration
  ) async throws -> JobRoster {
    var members = offered
    while true {
      try await requireEnough(members, record)
      let roster = JobRoster(members: members)
      _ = try roster.images()
      try JSONFile.write(roster, to: rosterFile)
      let sites = roster.sites
      let answers = try await service.network.ask(
        .begin,
        step: 0,
        data: Exchange(.custom("roster"), headers: ["roster": try JSONText.of(roster.forSites)]),
        of: id,
        sites,
        patience: patience,
        observer: transfers
      )
      var declined: [String: String] = [:]
      for site in sites {
        guard case .failure(let error) = answers[site.index] else {
          try transfers.accepted(step: 0, site: site.name, weight: 0)
          continue
        }
        try transfers.refused(step: 0, site: site.name, because: "\(error)")
        declined[site.name] = "\(error)"
      }
      if declined.isEmpty { return roster }
      await service.note(declined, of: id)
      await service.keep(declined, of: id)
      members.removeAll { declined[$0.name] != nil }
    }
  }

  private func requireEnough(_ members: [JobRoster.Member], _ record: JobRecord) async throws {
    let names = Set(members.map(\.name))
    let needs = record.requirements
    let missing = needs.mandatorySites.subtracting(names)
    guard members.count >= max(needs.minimumSites, 1), missing.isEmpty else {
      let reasons = await service.refusals[id] ?? [:]
      let why = reasons.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
      throw DeploymentError(
        code: .unavailable,
        message: """
          \(members.count) of \(record.sites.count) sites take part, and the job needs \(needs.minimumSites)\
          \(missing.isEmpty ? "" : ", among them \(missing.sorted().joined(separator: ", "))"): \
          \(why.joined(separator: "; "))
          """
      )
    }
  }

  // MARK: Rounds

  private func runRounds(
    of job: Job,
    from bundle: JobBundle,
    with roster: JobRoster
  ) async throws {
    let sites = roster.sites
    var keys: [Int: Curve25519.Signing.PublicKey] = [:]
    if job.workflow.isSecurelyAggregated {
      for site in sites {
        keys[site.index] = try service.kit.participants.signingKey(of: site.name)
      }
    }
    let deployed = try DeployedJob(
      job,
      roster: roster,
      signingKeys: keys,
      pool: LanePool(lanes: 1)
    )
    let folder = service.runFolder(of: id)
    let record: RunRecord
    let hasBegun = try service.store.job(id)?.state == .running
    if hasBegun {
      record = try RunRecord.open(at: folder)
    } else {
      // A process that was killed in between may have left one, of other sites.
      try? FileManager.default.removeItem(atPath: folder.string)
      record = try RunRecord.create(
        at: folder,
        try deployed.newManifest(id: id, files: bundle.digests)
      )
      try job.write(to: record)
      try service.replicate(id)
    }
    if !hasBegun {
      try service.change(id) {
        $0.state = .running
        $0.started = $0.started ?? Date()
        $0.sites = sites.map { JobSite(name: $0.name, examples: $0.exampleCount) }
        let names = Set(sites.map(\.name))
        $0.siteRights = $0.siteRights.filter { names.contains($0.key) }
      }
    }
    let (id, service, rounds, transfers) = (id, service, job.workflow.rounds, transfers)
    let failure = FirstFailure()
    let answers = try deployed.plan.answerLimit()
    let transport = KeepingTransport(
      base: service.network.transport(
        of: id,
        to: sites,
        observer: transfers,
        answers: answers
      ),
      failure: failure
    )
    defer { Self.writeReport(of: record) }
    _ = try await deployed.run(
      in: record,
      over: transport
    ) { event in
      try? service.observe(.progress(job: id, event))
      if let shown = JobEvent(event) { service.watchers.tell(shown, of: id) }
    } resumed: { done in
      service.watchers.resume(after: done.map { .init($0, of: rounds) }, of: id)
    } didSave: {
      try service.replicate(id)
    } finishRound: { round in
      let summary = JobEvent.RoundSummary(round, of: rounds)
      service.goesOn(id)
      try service.observe(.roundFinished(job: id, summary))
      service.watchers.tell(.roundFinished(summary), of: id)
    } journal: { event in
      // A round goes on without a site that has not answered, but not without what the server could not keep.
      if case .answerRefused = event { try failure.check() }
      try transfers.note(event)
    } decided: { decision in
      try service.observe(.decided(job: id, decision))
    } willSave: { round in
      try transfers.willSave(round: round)
    }
  }

  /// Of what the job has done, be it finished or not.
  private static func writeReport(of record: RunRecord) {
    // A report that cannot be written is no reason to lose a result.
    guard let manifest = try? record.manifest() else { return }
    try? ReportPage(manifest, of: record, folder: "run").write(to: record.reportFile)
  }
}

extension JobEvent {
  /// What those who watch see of an event of a round.
  init?(_ event: FederationEvent) {
    switch event {
    case .answered(let site, let answers): self = .answered(site: site.name, answers: answers)
    case .refused(let refusal): self = .refused(site: refusal.site, reason: refusal.reason)
    // Who is asked is known where tasks are sent.
    case .asked, .roundStarted, .worked, .notified: return nil
    }
  }
}
