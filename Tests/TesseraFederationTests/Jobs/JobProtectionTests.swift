import SystemPackage
import TesseraCore
import TesseraFederation
import TesseraRun
import TesseraTesting
import Testing

/// Jobs whose protection would protect nothing are refused when they are read.
@Suite struct JobProtectionTests {
  private static func job(
    _ workflow: String,
    algorithm: String = "plain",
    rest: String = ""
  ) -> String {
    """
    name: guarded
    workflow: \(workflow)
    model: linear
    executor: {type: classifier, batch: 8, algorithm: \(algorithm)}
    sites: 4
    \(rest)

    """
  }

  @Test(arguments: [
    ("{type: scaffold, rounds: 2}", "SCAFFOLD"), ("{type: fednova, rounds: 2}", "FedNova"),
    ("{type: cyclic, rounds: 2}", "cyclic"), ("{type: swarm, rounds: 2}", "swarm"),
    ("{type: fedbuff, rounds: 2, concurrency: 2}", "FedBuff"),
    ("cross-site-evaluation", "cross-site evaluation"), ("initial-weights", "initial weights"),
    ("statistics", "StatisticsWorkflow"),
    ("{type: fedavg, rounds: 2, aggregation: median}", "CoordinateMedian"),
    (
      "{type: fedavg, rounds: 2, server_optimizer: {type: adam, learning_rate: 0.1}}",
      "server_optimizer"
    ),
    ("{type: fedavg, rounds: 2, secure_aggregation: {bound: 8}}", "secure_aggregation"),
  ])
  func encryptionOfWhatTheServerReadsIsRefused(_ workflow: String, _ name: String) throws {
    let complaint = try JobFolder(Self.job(workflow, rest: "encryption: ckks")).complaint()
    #expect(complaint.contains("job.yml:6"), "\(complaint)")
    #expect(complaint.contains("encryption") && complaint.contains(name), "\(complaint)")
  }

  private static let mean = "{type: fedavg, rounds: 2}"
  private static let masked = "{type: fedavg, rounds: 2, secure_aggregation: {bound: 64}}"

  @Test(arguments: [
    (mean, "encryption: ckks\nfilters: {server: {results: [dequantize]}}", "server"),
    (mean, "encryption: ckks\nfilters: {site: {results: [quantize]}}", "'quantize'"),
    (mean, "encryption: ckks\nfilters: {site: {results: [{type: top-k, count: 3}]}}", "'top-k'"),
    (masked, "filters: {server: {results: [{type: clip-norm}]}}", "server"),
    (masked, "filters: {site: {results: [quantize]}}", "'quantize'"),
    (masked, "site_policy: {minimum_noise_multiplier: 1}", "demands noise"),
    (masked, "site_policy: {minimum_sites: 1}", "minimum_sites"),
    (mean, "site_policy: {minimum_sites: 4}", "secure aggregation"),
  ])
  func whatDoesNotGoTogetherIsNamed(_ workflow: String, _ rest: String, _ name: String) throws {
    let complaint = try JobFolder(Self.job(workflow, rest: rest)).complaint()
    #expect(complaint.contains("job.yml:") && complaint.contains(name), "\(complaint)")
  }

  @Test(arguments: ["median", "{type: norm-bound, bound: 1}", "{type: krum, byzantine: 1}"])
  func masksAndRulesThatReadUpdatesAreRefused(_ rule: String) throws {
    let workflow = "{type: fedavg, rounds: 2, aggregation: \(rule), secure_aggregation: {bound: 8}}"
    let complaint = try JobFolder(Self.job(workflow)).complaint()
    #expect(complaint.contains("job.yml:2"), "\(complaint)")
    #expect(complaint.contains("'secure_aggregation' gives a weighted mean"), "\(complaint)")
  }

  @Test func masksAndNoiseOfTheServerAreRefusedWithTheWayOut() throws {
    let rule = "{type: gaussian-mean, clip_norm: 1, noise_multiplier: 1}"
    let workflow = "{type: fedavg, rounds: 2, aggregation: \(rule), secure_aggregation: {bound: 8}}"
    #expect(try JobFolder(Self.job(workflow)).complaint().contains("it has 'noise' of its own"))
  }

  @Test(arguments: ["scaffold", "fednova"])
  func masksForOtherWorkflowsAreRefusedByName(_ name: String) throws {
    let workflow = "{type: \(name), rounds: 2, secure_aggregation: {bound: 8}}"
    let complaint = try JobFolder(Self.job(workflow)).complaint()
    #expect(complaint.contains("is for 'fedavg', not for '\(name)'"), "\(complaint)")
  }

  private func rounds(_ job: String) async throws -> [RunManifest.Round] {
    let folder = try JobFolder(job)
    let run = try folder.run()
    let record = try RunRecord.create(at: folder.folder.path.appending("run"), run.newManifest())
    return try await run.run(in: record).trainings[0].rounds
  }

  @Test func protectedJobsRun() async throws {
    for (workflow, algorithm, rest) in [
      (Self.mean, "{type: ditto, lambda: 0.1}", "encryption: ckks"),
      (Self.mean, "{type: fedprox, mu: 0.1}", "encryption: ckks"),
      (Self.masked, "plain", "site_policy: {minimum_sites: 3, minimum_threshold: 3}"),
    ] {
      let found = try await rounds(Self.job(workflow, algorithm: algorithm, rest: rest))
      #expect(found.map(\.contributors.count) == [4, 4])
    }
  }

  @Test func sitesThatDemandMoreTakeNoPart() async throws {
    let error = await #expect(throws: FederationError.self) {
      try await rounds(Self.job(Self.masked, rest: "site_policy: {minimum_sites: 4}"))
    }
    #expect(error?.code == .tooFewSites)
    #expect(error?.message.contains("where 4 are demanded") == true, "\(error?.message ?? "")")
  }

  @Test func sitesDemandTheNoiseThatTheirJobPromises() async throws {
    let sum =
      "{type: fedavg, rounds: 2, secure_aggregation: {noise: {clip_norm: 1, multiplier: 2}}}"
    func demanded(_ workflow: String, rest: String = "") throws -> Double? {
      let run = try JobFolder(Self.job(workflow, rest: rest)).run()
      let model = try ModelState([(name: "weight", tensor: Tensor.zeros([3072, 10]))])
      return try run.job.sitePolicy(for: model, sites: run.data.sites).minimumNoiseMultiplier
    }
    let least = try #require(try demanded(sum))
    #expect(least > 1.99 && least < 2)
    #expect(try demanded(sum, rest: "site_policy: {minimum_noise_multiplier: 0.5}") == 0.5)
    #expect(try demanded(Self.masked) == nil)
    // Where the site's assumptions leave nothing of the noise, it does not take part as if none had been promised.
    let error = await #expect(throws: FederationError.self) {
      try await rounds(Self.job(sum, rest: "site_policy: {corrupt_fraction: 0.75}"))
    }
    #expect(error?.code == .tooFewSites)
    #expect(error?.message.contains("a noise multiplier of 0.0") == true, "\(error?.message ?? "")")
  }

  private static func noisy(_ accountant: String, epsilon: Double = 50) -> String {
    let noise = "{clip_norm: 1, multiplier: 2}"
    return job(
      "{type: fedavg, rounds: 2, secure_aggregation: {noise: \(noise)}}",
      rest: "privacy: {epsilon: \(epsilon), delta: 1e-5, accountant: \(accountant)}"
    )
  }

  @Test func noiseThatSitesAddTogetherIsChargedToTheJob() async throws {
    let spent = try await rounds(Self.noisy("rdp")).map { $0.epsilon["job"] }
    let ideal = try (1...2).map { rounds in
      var accountant = RDPAccountant()
      try accountant.compose(.gaussian(noiseMultiplier: 2), count: rounds)
      return try accountant.epsilon(delta: 1e-5)
    }
    for (found, least) in zip(spent, ideal) {
      let found = try #require(found)
      #expect(found > least && found < least * 1.01)
    }
    let error = await #expect(throws: FederationError.self) {
      try await rounds(Self.noisy("rdp", epsilon: ideal[0] * 1.1))
    }
    #expect(error?.code == .budgetExhausted)
  }

  @Test func distributionsOfThePrivacyLossCannotChargeIt() async throws {
    let error = await #expect(throws: FederationError.self) {
      try await rounds(Self.noisy("pld"))
    }
    #expect(error?.message.contains("'rdp'") == true, "\(error?.message ?? "")")
  }
}
