internal import Foundation
internal import SystemPackage
internal import TesseraProvisioning

extension Preflight {
  /// Below how many bytes no job should begin.
  private static let least = 256 << 20
  /// Below how many bytes somebody should look.
  private static let little = 5 << 30

  /// Disk, folders, limits.
  func machine(for kit: StartupKit) -> [PreflightFinding] {
    disk() + folders(of: kit) + files(for: kit)
  }

  private func disk() -> [PreflightFinding] {
    var status = statvfs()
    guard statvfs(folder.string, &status) == 0 else { return [] }
    let free = Int(
      clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        .partialValue
    )
    let shown = String(format: "%.1f GB", Double(free) / 1e9)
    let code: PreflightFinding.Code =
      free < Self.least ? .diskFull : free < Self.little ? .diskLow : .diskGood
    return [PreflightFinding(code, "The disk of \(folder) has \(shown) free.")]
  }

  private func folders(of kit: StartupKit) -> [PreflightFinding] {
    if let problem = FolderTrial.problem(of: folder) {
      return [PreflightFinding(.folderReadOnly, "\(problem).")]
    }
    return [PreflightFinding(.folderWritable, "\(folder) can be written.")]
  }

  private func files(for kit: StartupKit) -> [PreflightFinding] {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    let allowed = Int(clamping: limit.rlim_cur)
    // One connection for each site and person, files of their answers, and what the program has anyway.
    let needed =
      kit.participant.kind == .server ? 512 + 2 * kit.participants.entries.count : 512
    let shown = allowed == .max ? "any number of" : "\(allowed)"
    guard allowed < needed else {
      return [PreflightFinding(.filesGood, "The program may open \(shown) files.")]
    }
    return [
      PreflightFinding(
        .filesFew,
        "The program may open \(shown) files; \(needed) are needed with \(kit.participants.entries.count) participants."
      )
    ]
  }
}
