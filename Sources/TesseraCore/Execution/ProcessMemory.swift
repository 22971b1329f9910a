internal import CTessera

/// How the process deals with memory that is free.
public enum ProcessMemory {
  /// Gives free memory back to the system, where the process would keep some for training steps that need the same again and again.
  ///
  /// For programs that move models more than they compute with them: messages of a mebibyte come and go on many threads, and what
  /// the C library keeps of them for each thread adds up. Pages of code that only the start of the process needed are given back
  /// too. To be called first of all in the process.
  public static func keepLittle() { tessera_keep_little() }
}
