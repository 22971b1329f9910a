// One import for programs that train models: tensors, layers and data.
@_exported public import TesseraCore
@_exported public import TesseraData
@_exported public import TesseraNN
