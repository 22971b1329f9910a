internal import TesseraRun

/// The version of the program that runs.
public enum ProgramVersion {
  /// As records and descriptions of sites have it.
  public static let current = Versions.current["tessera"] ?? ""
}
