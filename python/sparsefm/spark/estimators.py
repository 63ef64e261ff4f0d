SparkFMClassifier = SparkFMClassifierModel = SparkFMRegressor = SparkFMRegressorModel = None
