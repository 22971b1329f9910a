internal import ArgumentParser
internal import Foundation
internal import TesseraCommandLine
internal import TesseraDeployment
internal import TesseraFederationGRPC
internal import TesseraRun

struct Sites: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Lists the sites of the federation.")

  @OptionGroup var console: ConsoleOptions

  func run() async throws {
    try await reportingErrors(asJSON: console.answer.json) {
      let answer = console.answer
      try await console.connected { console in
        let sites = try await console.sites()
        try answer.say(sites, SiteText.table(of: sites))
      }
    }
  }
}

struct SiteInfo: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Asks a site what it is and has."
  )

  @Argument(help: "The site.")
  var site: String

  @OptionGroup var console: ConsoleOptions

  func run() async throws {
    try await reportingErrors(asJSON: console.answer.json) {
      let (name, answer) = (site, console.answer)
      try await console.connected { console in
        let site = try await console.site(name)
        try answer.say(site, SiteText.page(of: site))
      }
    }
  }
}

/// Sites, as people read them.
enum SiteText {
  static func table(of sites: [SiteStatus]) -> [String] {
    JobText.columns(
      [["SITE", "ORGANISATION", "STATE", "VERSION", "CORES", "MEMORY", "GPUS", "JOBS"]]
        + sites.map { site in
          let has = site.description?.resources
          return [
            site.name, site.organisation, state(of: site), site.description?.version ?? "–",
            has.map { "\($0.cores)" } ?? "–",
            has.map { JobText.bytes($0.memory) } ?? "–", has.map { "\($0.gpus)" } ?? "–",
            site.jobs.isEmpty ? "–" : site.jobs.joined(separator: ", "),
          ]
        }
    )
  }

  static func page(of site: SiteStatus) -> [String] {
    var lines = ["\(site.name), \(site.organisation): \(state(of: site))"]
    if let own = site.description {
      lines.append("  Tessera \(own.version), since \(JobText.time(own.started))")
      lines.append(
        "  \(counted(own.resources.cores, "core")), \(JobText.bytes(own.resources.memory)) of memory, \(counted(own.resources.gpus, "GPU"))"
      )
      for (kind, names) in own.data.sorted(by: { $0.key < $1.key }) {
        lines.append("  \(kind): \(names.joined(separator: ", "))")
      }
      lines.append("  \(JobText.bytes(own.freeDisk)) free on disk")
      if let difference = own.clockDifference {
        let size = String(format: "%.1f s", abs(difference))
        lines.append(
          "  its clock is \(size) \(difference >= 0 ? "ahead of" : "behind") the server's"
        )
      }
      lines.append("  its certificate is good until \(JobText.time(own.certificateEnds))")
    }
    if !site.jobs.isEmpty { lines.append("  works at \(site.jobs.joined(separator: ", "))") }
    return lines
  }

  private static func state(of site: SiteStatus) -> String {
    var state = site.isConnected ? "connected" : "away"
    if site.isDisabled { state += ", disabled" }
    if let difference = site.description?.clockDifference,
      abs(difference) >= Preflight.largestClockDifference
    {
      state += String(format: ", clock %+.0f s", difference)
    }
    return state
  }
}
