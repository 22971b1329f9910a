internal import Foundation
internal import SystemPackage
internal import TesseraProvisioning
internal import X509

extension Preflight {
  /// How many days before its end a certificate is worth a word.
  private static let soon = 30

  func certificates(of kit: StartupKit) -> [PreflightFinding] {
    func days(until end: Date) -> Int { Int((end.timeIntervalSince(now) / 86_400).rounded(.down)) }
    let own = days(until: kit.expires)
    let end = kit.expires.ISO8601Format()
    var findings = [
      PreflightFinding(
        own < Self.soon ? .certificateEndsSoon : .certificateGood,
        "Its certificate is good for \(own) days, until \(end)."
      )
    ]
    let root = kit.root.notValidAfter
    // A certificate never outlasts the authority's: a year before its end there is time to prepare.
    if days(until: root) < 365 {
      findings.append(
        PreflightFinding(
          .authorityEndsSoon,
          "The authority's certificate ends in \(days(until: root)) days, \(root.ISO8601Format())."
        )
      )
    }
    return findings
  }

  func keys(of kit: StartupKit) -> [PreflightFinding] {
    let startup = kit.keyFile.removingLastComponent()
    let readable = ["own.key", "signing.key"].filter { name in
      let rights = attributes(of: startup.appending(name))[.posixPermissions] as? Int
      return rights.map { $0 & 0o077 != 0 } ?? false
    }
    guard readable.isEmpty else {
      return [
        PreflightFinding(
          .keysReadable,
          "Others than the owner can read \(readable.joined(separator: " and ")) in \(startup)."
        )
      ]
    }
    return [PreflightFinding(.keysPrivate, "Its keys are readable for their owner alone.")]
  }

  /// What the system knows of a file, or of the one that a link leads to; nothing if there is none.
  private func attributes(of path: FilePath) -> [FileAttributeKey: Any] {
    let file = URL(filePath: path.string).resolvingSymlinksInPath().path(percentEncoded: false)
    return (try? FileManager.default.attributesOfItem(atPath: file)) ?? [:]
  }

  /// A clock that is behind the files it looks at is wrong: they were written before now.
  func clock(of kit: StartupKit?) -> [PreflightFinding] {
    var newest: (time: Date, path: FilePath)?
    var paths = [folder.appending("manifest.json")]
    for name in ["participants.json", "revoked.json", "own.crt"] {
      paths.append(folder.pushing(FilePath("startup")).appending(name))
    }
    for path in paths {
      guard let time = attributes(of: path)[.modificationDate] as? Date else { continue }
      if time > newest?.time ?? .distantPast { newest = (time, path) }
    }
    // File systems of other machines have other clocks.
    if let newest, newest.time.timeIntervalSince(now) > 300 {
      return [
        PreflightFinding(
          .clockBehind,
          """
          It is \(now.ISO8601Format()) here, and \(newest.path) was written \
          \(newest.time.ISO8601Format()).
          """
        )
      ]
    }
    guard kit != nil else { return [] }
    return [
      PreflightFinding(.clockGood, "The clock fits the certificates: \(now.ISO8601Format()).")
    ]
  }

  /// From how many seconds on the clocks of two machines are told to differ.
  public static let largestClockDifference = 5.0
  /// From how many seconds on jobs are kept from running: certificates that are made and renewed meanwhile have not begun.
  private static let intolerableClockDifference = 300.0

  /// Compares the clock with a server's.
  ///
  /// - Parameters:
  ///   - server: The server.
  ///   - difference: By how many seconds this machine's clock is ahead.
  ///   - kit: The kit, whose certificate both judge.
  ///   - end: When the server's certificate ends.
  /// - Returns: What that means.
  func clock(
    aheadOf server: String,
    by difference: Double,
    of kit: StartupKit,
    until end: Date
  ) -> PreflightFinding {
    let text = String(format: "%.1f s", abs(difference))
    let place = "The clock is \(text) \(difference >= 0 ? "ahead of" : "behind") \(server)'s"
    let theirs = now.addingTimeInterval(-difference)
    let certificates: [(whose: String, from: Date, until: Date)] = [
      (kit.participant.name, kit.certificate.notValidBefore, kit.expires),
      (server, .distantPast, end),
    ]
    for certificate in certificates {
      let times = certificate.from...max(certificate.from, certificate.until)
      guard times.contains(now) != times.contains(theirs) else { continue }
      return PreflightFinding(
        .clockDiffers,
        "\(place): by one of them the certificate of \(certificate.whose) is good, by the other it is not."
      )
    }
    switch abs(difference) {
    case ..<Self.largestClockDifference: return PreflightFinding(.clockAgrees, "\(place).")
    case ..<Self.intolerableClockDifference: return PreflightFinding(.clockApart, "\(place).")
    default: return PreflightFinding(.clockDiffers, "\(place).")
    }
  }
}
