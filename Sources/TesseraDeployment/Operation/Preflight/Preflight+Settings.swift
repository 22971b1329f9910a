internal import Foundation
internal import NIOPosix
public import SystemPackage
internal import TesseraConfiguration
public import TesseraFederation
public import TesseraProvisioning

extension Preflight {
  /// The participant's own files, and what they name.
  func settings(of kit: StartupKit) async -> [PreflightFinding] {
    var findings: [PreflightFinding] = []
    var allowsPrograms = false
    do {
      allowsPrograms = try policy(kit).allowsPrograms && kit.participant.kind == .site
      findings.append(PreflightFinding(.policyGood, "local/policy.yml is right."))
    } catch {
      findings += Self.problems(of: error, as: .policyWrong)
    }
    guard kit.participant.kind == .site else { return findings }
    do {
      let data = try data(kit)
      if data.isEmpty {
        findings.append(PreflightFinding(.dataNone, "local/data.yml names no data."))
      }
      for (name, path) in data.sorted(by: { $0.key < $1.key }) {
        findings.append(Self.finding(ofData: name, at: path))
      }
    } catch {
      findings += Self.problems(of: error, as: .dataWrong)
    }
    if allowsPrograms { findings.append(await Self.python()) }
    return findings
  }

  private static func problems(
    of error: any Error,
    as code: PreflightFinding.Code
  ) -> [PreflightFinding] {
    guard let error = error as? ConfigurationError else {
      return [PreflightFinding(code, "\(error).")]
    }
    return error.problems.map { PreflightFinding(code, "\($0).") }
  }

  private static func finding(ofData name: String, at path: FilePath) -> PreflightFinding {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path.string, isDirectory: &isFolder) else {
      return PreflightFinding(.dataUnreadable, "\(name): \(path) is not there.")
    }
    guard access(path.string, isFolder.boolValue ? R_OK | X_OK : R_OK) == 0 else {
      return PreflightFinding(
        .dataUnreadable,
        "\(name): \(path) cannot be read: \(Errno(rawValue: errno))."
      )
    }
    return PreflightFinding(.dataGood, "\(name): \(path) can be read.")
  }

  /// Whether there is a Python for trainers that jobs start.
  private static func python() async -> PreflightFinding {
    let found = try? await NIOThreadPool.singleton.runIfActive { () -> String? in
      let process = Process()
      process.executableURL = URL(filePath: "/usr/bin/env")
      let script = """
        import sys, importlib.util
        missing = [name for name in ("numpy", "tessera_client") if not importlib.util.find_spec(name)]
        print(sys.version.split()[0], *missing)
        """
      process.arguments = ["python3", "-c", script]
      let output = Pipe()
      process.standardOutput = output
      process.standardError = FileHandle.nullDevice
      process.standardInput = FileHandle.nullDevice
      try process.run()
      let data = try output.fileHandleForReading.readToEnd() ?? Data()
      process.waitUntilExit()
      return process.terminationStatus == 0 ? String(decoding: data, as: UTF8.self) : nil
    }
    guard let words = found?.split(whereSeparator: \.isWhitespace), let version = words.first else {
      return PreflightFinding(
        .pythonMissing,
        "Jobs may start programs, and there is no python3 on the PATH."
      )
    }
    guard words.count == 1 else {
      return PreflightFinding(
        .pythonMissing,
        """
        Jobs may start programs, and the python3 on the PATH, \(version), has no \
        \(words.dropFirst().joined(separator: " and no ")).
        """
      )
    }
    return PreflightFinding(
      .pythonGood,
      "There is Python \(version) with numpy and tessera_client."
    )
  }
}

extension Preflight {
  /// What `local/policy.yml` comes to.
  ///
  /// - Parameters:
  ///   - kit: Whose it is.
  ///   - components: The filters that it can name.
  /// - Returns: As far as a preflight cares.
  /// - Throws: `ConfigurationError` if it is wrong.
  public static func policy(
    of kit: StartupKit,
    components: JobComponents = .standard
  ) throws -> Policy {
    let rights = try SitePolicy(of: kit, components: components).rights
    return Policy(
      allowsPrograms: rights.values.contains { rights in
        rights[.runExternal]?.contains { $0 != .none } ?? false
      }
    )
  }

  /// What `local/data.yml` names, and where it is.
  public static func data(of kit: StartupKit) throws -> [String: FilePath] {
    let settings = try SiteSettings(of: kit)
    var found: [String: FilePath] = [:]
    for (kind, places) in [
      ("images", settings.images), ("tables", settings.tables), ("folders", settings.folders),
    ] {
      for (name, path) in places { found["\(kind) \(name)"] = path.lexicallyNormalized() }
    }
    return found
  }
}
